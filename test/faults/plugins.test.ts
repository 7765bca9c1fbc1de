import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipBomb, qcow2Bomb, zipBomb } from '../support/bombs.ts';
import { type FileServer, serving, startFileServer } from '../support/file-server.ts';
import { requirePackage } from '../support/packages.ts';
import { until } from '../support/until.ts';
import { type Content, contentOf } from './content.ts';
import { factsOf } from './facts.ts';
import { assertHolds, bodyOf, shownImage, statusOf } from './images.ts';
import { startTree, type Tree } from './tree.ts';

// What the operator has made of imports, through the API and whatever dies meanwhile.

for (const name of ['qemu-utils', 'xz-utils']) requirePackage(name);
const run = promisify(execFile);

let tree: Tree;
let server: FileServer;
before(async () => {
  server = await startFileServer();
  tree = await startTree([
    ...['--lease-ms', '2000', '--import-allowed-cidrs', '127.0.0.0/8'],
    ...['--import-allowed-ports', String(server.port)],
    ...['--import-plugins', 'image_decompression,image_conversion,inject_image_metadata'],
    ...['--inject-metadata-properties', 'source:import'],
    ...['--inject-metadata-ignore-user-roles', 'nobody', '--plugin-expansion-ratio', '10'],
  ]);
});
after(async () => {
  await tree?.stop();
  await server?.stop();
});

/** A disk as vendors publish it. */
async function asQcow2Xz(content: Content): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-vendor-'));
  const [raw, made] = [join(directory, 'raw'), join(directory, 'disk.qcow2')];
  try {
    await writeFile(raw, content.bytes());
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, made]);
    await run('xz', ['-1', made]);
    return await readFile(`${made}.xz`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function imported(bytes: Buffer, path: string): Promise<string> {
  const uri = server.answer(path, serving(bytes));
  const created = await tree.api.json('POST', '/v2/images', {
    name: 'made of something',
    disk_format: 'qcow2',
    container_format: 'bare',
  });
  const { id } = bodyOf(created) as { id: string };
  const method = { name: 'web-download', uri };
  const answer = await tree.api.json('POST', `/v2/images/${id}/import`, { method });
  assert.equal(statusOf(answer), 202);
  return id;
}

const reached = (id: string, status: string): Promise<unknown> =>
  until(`image ${id} to be ${status}`, async () => {
    const answer = await tree.api.json('GET', `/v2/images/${id}`);
    return statusOf(answer) === 200 && (bodyOf(answer) as { status: string }).status === status;
  });

for (const step of [
  'worker.fetch-recorded',
  'worker.plugins-done',
  'worker.data-promoted',
] as const)
  test(`an import whose worker dies at ${step} is decompressed, converted and described all the same`, async () => {
    const content = contentOf(step, 2 * 1024 * 1024);
    const path = `/${step}.qcow2.xz`;
    await tree.dieAt(step);
    const id = await imported(await asQcow2Xz(content), path);
    await until(`a process to die at ${step}`, tree.died);
    await reached(id, 'active');
    await assertHolds(tree.api, id, content);
    const shown = (await shownImage(tree.api, id)) as unknown as Record<string, unknown>;
    const { disk_format, container_format, size, virtual_size, source } = shown;
    assert.deepEqual(
      [disk_format, container_format, size, virtual_size, source],
      ['raw', 'bare', content.size, content.size, 'import'],
    );
    const asked = server.requests.filter((request) => request.split(' ')[1] === path);
    assert.equal(asked.length, 1, 'what was whole was fetched again');
    const types = (await factsOf(tree, id)).map(({ type }) => type);
    assert.equal(types.filter((type) => type === 'ImageUpdated').length, 1);
  });

for (const [what, bomb] of Object.entries({
  gzip: () => gzipBomb(10),
  zip: () => zipBomb(10),
  qcow2: () => qcow2Bomb(10),
}))
  test(`a bomb of 10 GiB in 10 MB of ${what} ends, and its owner can read why`, async () => {
    const id = await imported(bomb(), `/bomb.${what}`);
    await reached(id, 'queued');
    const { os_glance_failed_upload } = await shownImage(tree.api, id);
    assert.match(os_glance_failed_upload ?? '', /^More than 10 times as many bytes come out of/);
  });
