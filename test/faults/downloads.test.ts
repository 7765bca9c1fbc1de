import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type FileServer, serving, startFileServer } from '../support/file-server.ts';
import { until } from '../support/until.ts';
import { type Content, contentOf } from './content.ts';
import { factsOf } from './facts.ts';
import { assertHolds, bodyOf, newImage, shownImage, statusOf } from './images.ts';
import { startTree, type Tree } from './tree.ts';

// P2 for what is fetched: whoever dies, it goes on from what is there, and what is whole is never fetched again.

let tree: Tree;
let server: FileServer;
before(async () => {
  server = await startFileServer();
  tree = await startTree([
    ...['--lease-ms', '2000', '--import-allowed-cidrs', '127.0.0.0/8'],
    ...['--import-allowed-ports', String(server.port), '--import-connections', '1'],
  ]);
});
after(async () => {
  await tree?.stop();
  await server?.stop();
});

const size = 2_000_000;
const pieces = 10;

/** With ranges and a validator, at a pace at which there is a half. */
const slow = (content: Content, pauseMs = 60): RequestListener => {
  const bytes = content.bytes();
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from === 0 ? 200 : 206, {
      'Content-Length': size - from,
      'Accept-Ranges': 'bytes',
      ETag: `"${content.id}"`,
      ...(from === 0 ? {} : { 'Content-Range': `bytes ${from}-${size - 1}/${size}` }),
    });
    const send = async (): Promise<void> => {
      for (let at = from; at < size && !response.destroyed; at += size / pieces) {
        response.write(bytes.subarray(at, Math.min(at + size / pieces, size)));
        await delay(pauseMs);
      }
      response.end();
    };
    send().catch(() => response.destroy());
  };
};

async function download(uri: string, more: object = {}): Promise<string> {
  const id = await newImage(tree.api);
  const answer = await tree.api.json('POST', `/v2/images/${id}/import`, {
    method: { name: 'web-download', uri, ...more },
  });
  assert.equal(statusOf(answer), 202);
  return id;
}

const reached = (id: string, status: string): Promise<unknown> =>
  until(`image ${id} to be ${status}`, async () => {
    const answer = await tree.api.json('GET', `/v2/images/${id}`);
    return statusOf(answer) === 200 && (bodyOf(answer) as { status: string }).status === status;
  });

async function taskOf(id: string): Promise<{ status: string; message: string } | undefined> {
  const { tasks } = bodyOf(await tree.api.json('GET', `/v2/images/${id}/tasks`)) as {
    tasks: { status: string; message: string }[];
  };
  return tasks[0];
}

for (const [step, fetches] of [
  ['worker.job-taken', 1],
  ['worker.ingest-claimed', 1],
  ['worker.fetch-begun', 1],
  ['worker.fetch-half', 2],
  ['worker.fetch-sealed', 1],
  ['worker.fetch-recorded', 1],
  ['worker.digests-half', 1],
  ['worker.digests-done', 1],
  ['worker.data-promoted', 1],
  ['worker.image-activated', 1],
] as const)
  test(`a download whose worker dies at ${step} is finished by another, fetched ${fetches === 1 ? 'once' : 'on'}`, async () => {
    const content = contentOf(step, size);
    const path = `/${step}`;
    const uri = server.answer(path, slow(content));
    await tree.dieAt(step);
    const id = await download(uri, { checksum: `sha512:${content.sha512}` });
    await until(`a process to die at ${step}`, tree.died);
    await reached(id, 'active');
    await assertHolds(tree.api, id, content);
    await until('the task to succeed', async () => (await taskOf(id))?.status === 'success');
    const asked = server.requests.filter((request) => request.split(' ')[1] === path);
    assert.equal(asked.length, fetches, asked.join());
    const types = (await factsOf(tree, id)).map(({ type }) => type);
    for (const once of ['ImportFetched', 'ImportCompleted'])
      assert.equal(types.filter((type) => type === once).length, 1, once);
  });

test('a download that was accepted survives the end of everything, and goes on from there', async () => {
  const content = contentOf('everything', size);
  const uri = server.answer('/everything', slow(content, 1_000));
  const id = await download(uri);
  await until('some of it to be told', async () =>
    /Downloaded/.test((await taskOf(id))?.message ?? ''),
  );
  await tree.now().killAll();
  await tree.restart();
  await reached(id, 'active');
  await assertHolds(tree.api, id, content);
});

test('a download from where nothing is to be had ends, and its owner can read why', async () => {
  const id = await download(`${server.url}/nowhere`);
  await reached(id, 'queued');
  const shown = (await shownImage(tree.api, id)) as unknown as Record<string, string>;
  const { os_glance_failed_upload, os_glance_failed_import } = shown;
  assert.match(os_glance_failed_upload ?? '', /no such file .*404/);
  assert.equal(os_glance_failed_import, 'file');
  await until('the task to have failed', async () => (await taskOf(id))?.status === 'failure');
  assert.equal((await taskOf(id))?.message, os_glance_failed_upload);
});

test('a download of other bytes than were promised ends, and its owner can read why', async () => {
  const uri = server.answer('/other', serving(contentOf('one', size).bytes()));
  const id = await download(uri, { checksum: contentOf('other', size).md5 });
  await reached(id, 'queued');
  assert.match((await shownImage(tree.api, id)).os_glance_failed_upload ?? '', /md5 .* expected/);
});

test('a download that kills every worker is given up, and its owner can read why', async () => {
  const uri = server.answer('/poison', serving(contentOf('poison', size).bytes()));
  await tree.dieAt('worker.fetch-begun', 'always');
  const id = await download(uri);
  await reached(id, 'queued');
  await tree.spare();
  assert.match((await shownImage(tree.api, id)).os_glance_failed_upload ?? '', /workers died/);
});
