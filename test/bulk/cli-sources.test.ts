import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readManifest } from '../../apps/bulk/manifest/read.ts';
import { type Api, apiOf } from '../../apps/cli/bulk/api.ts';
import { filesOf } from '../../apps/cli/bulk/import.ts';
import { manifestOfGlance } from '../../apps/cli/bulk/other-glance.ts';
import { reach } from '../../apps/cli/bulk/reach.ts';
import { manifestOfStreams } from '../../apps/cli/bulk/simplestreams.ts';
import { withFiles } from '../../apps/cli/bulk/sources.ts';
import { onlyNamed } from '../../apps/cli/bulk/uploads.ts';

const main = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const base = 'https://images.example.org/releases/';

/** The sources of an index whose only disk is at `path`. */
async function sourcesOf(path: string): Promise<readonly string[]> {
  const documents: Readonly<Record<string, unknown>> = {
    [`${base}streams/v1/index.json`]: {
      index: { released: { path: 'streams/v1/products.json', datatype: 'image-downloads' } },
    },
    [`${base}streams/v1/products.json`]: {
      products: {
        one: {
          os: 'ubuntu',
          versions: { 20261101: { items: { disk: { ftype: 'disk1.img', path } } } },
        },
      },
    },
  };
  const filter = { arch: undefined, release: undefined, versions: 1 };
  const { images } = await manifestOfStreams(
    `${base}streams/v1/index.json`,
    filter,
    async (url) => documents[url],
  );
  return images.map(({ source }) => source);
}

/** Another Glance, which keeps hidden images and others' community images to those who ask for them. */
function otherGlance(images: readonly Readonly<Record<string, unknown>>[]) {
  const asked: string[] = [];
  const said: string[] = [];
  const api: Api = {
    async json<Document>(path: string) {
      asked.push(path);
      const query = new URL(path, 'http://glance').searchParams;
      const isShown = (image: Readonly<Record<string, unknown>>): boolean =>
        String(image.os_hidden ?? false) === (query.get('os_hidden') ?? 'false') &&
        (query.get('visibility') ?? 'all') === 'all' &&
        (image.visibility !== 'community' || query.has('visibility'));
      return { images: images.filter(isShown) } as Document;
    },
    async send() {
      throw new Error('nothing is sent');
    },
  };
  const cloud = { url: 'http://glance', token: async () => null };
  const say = (line: string): void => void said.push(line);
  return { asked, said, other: { cloud, api, keepOwners: false, filter: [] as string[], say } };
}

describe('daguerre import', () => {
  test('takes hidden and community images from another Glance, and names what it leaves', async () => {
    const image = (name: string, more: object = {}) => ({
      ...{ id: name, name, status: 'active', visibility: 'public', tags: [] },
      ...more,
    });
    const { other, said } = otherGlance([
      image('plain'),
      image('hidden', { os_hidden: true }),
      image('of-all', { visibility: 'community' }),
      image('empty', { status: 'queued' }),
    ]);
    const { images } = await manifestOfGlance(other);
    assert.deepEqual(images.map(({ name }) => name).sort(), ['hidden', 'of-all', 'plain']);
    assert.deepEqual(said, ['left out, since only active images can be had: empty is queued']);
  });

  test('asks another Glance for what the filter names, whatever is in it', async () => {
    const { other, asked } = otherGlance([
      { id: 'one', name: 'a & b', status: 'active', visibility: 'all', tags: [] },
    ]);
    const filter = ['name=a & b', 'visibility=all', 'os_hidden=false'];
    await manifestOfGlance({ ...other, filter });
    assert.deepEqual(asked, [
      '/v2/images?limit=500&name=a%20%26%20b&visibility=all&os_hidden=false',
    ]);
  });

  test('says which images of a manifest have no file, before it reads any', async () => {
    const read = readManifest(
      'images:\n  - {name: one, source: gone.raw}\n  - {name: two, source: /}\n',
      'yaml',
    );
    await assert.rejects(withFiles(read, '/srv/none'), {
      message:
        'line 2, image 1, source: there is no file /srv/none/gone.raw\nline 3, image 2, source: / is no file',
    });
  });

  test('says what became of it when Ctrl-C comes while the import is being asked for', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-interrupted-'));
    t.after(() => rm(directory, { recursive: true }));
    const manifest = join(directory, 'images.json');
    await writeFile(manifest, '[{"name":"one","source":"https://example.org/one.raw"}]');
    // Takes the request, and never answers.
    const service = createServer().listen(0, '127.0.0.1');
    const asked = once(service, 'request');
    t.after(() => service.close().closeAllConnections());
    await once(service, 'listening');
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const child = spawn(process.execPath, [main, 'import', manifest, '--url', url]);
    const said = text(child.stderr);
    await asked;
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    assert.equal(code, 130);
    assert.match(await said, /daguerre imports list says whether it is there/);
  });

  test('says which of two services does not accept a token', async (t) => {
    const service = createServer((_, response) => response.writeHead(401).end('no'));
    service.listen(0, '127.0.0.1');
    t.after(() => service.close().closeAllConnections());
    await once(service, 'listening');
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const api = apiOf({ url, token: async () => 'spent' });
    await assert.rejects(api.json('/v2/images'), {
      status: 401,
      message: `${url} does not accept the token: 401: no`,
    });
  });

  test('says who cannot be reached, and why', async () => {
    await assert.rejects(
      reach('http://127.0.0.1:1/v3', {}),
      /^Error: http:\/\/127.0.0.1:1 cannot be reached: ./,
    );
  });

  test('takes from an index what lies on servers, and no file of this machine', async () => {
    assert.deepEqual(await sourcesOf('noble/disk.img'), [`${base}noble/disk.img`]);
    for (const path of ['upload:/etc/shadow', 'file:///etc/shadow'])
      await assert.rejects(sourcesOf(path), /is not to be had from a server of images/, path);
  });

  test('uploads no file that the manifest does not name, whatever the service waits for', async () => {
    const opened: string[] = [];
    const open = onlyNamed(['upload:/srv/mine.raw'], async (label) => {
      opened.push(label);
      return async () => '';
    });
    assert.notEqual(await open('/srv/mine.raw'), undefined);
    assert.equal(await open('/etc/shadow'), undefined);
    assert.deepEqual(opened, ['/srv/mine.raw']);
  });

  test('knows again which files a manifest, or a directory, means', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-named-'));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'disk.raw'), 'bytes');
    const manifest = join(directory, 'images.yaml');
    await writeFile(
      manifest,
      'images:\n  - {name: one, source: disk.raw}\n  - {name: two, source: "https://example.org/two.raw"}\n',
    );
    const file = `upload:${join(directory, 'disk.raw')}`;
    assert.deepEqual(await filesOf(manifest, undefined), [file]);
    assert.deepEqual(await filesOf(directory, undefined), [file]);
  });
});
