import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { type NamedStore, storesFrom } from '../../infra/store/stores.ts';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import {
  admin,
  alice,
  bob,
  rawFormat,
  reader,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { localHttpStore } from '../support/stores.ts';

const bytes = Buffer.from('bytes of others');
const service = 'nova:services:service';

interface Site extends TestGateway {
  readonly server: FileServer;
  readonly url: string;
  readonly source: string;
}

/** A store of files and one of URLs; locations are shown. */
async function site(t: TestContext, show = true): Promise<Site> {
  const server = await startFileServer();
  t.after(() => server.stop());
  const gateway = await startGateway(t, {
    change: (ports) => {
      const [file] = ports.stores.all as readonly [NamedStore];
      const all = [file, localHttpStore('web', [server.port], { timeoutMs: 2_000 })];
      const showing = { locations: show, directUrl: show };
      return { ...ports, stores: storesFrom(all, 'file'), showing };
    },
  });
  return { ...gateway, server, source: server.put('/source', bytes) };
}

const sha512 = createHash('sha512').update(bytes).digest('hex');
const add = (value: unknown, place = '-') => [{ op: 'add', path: `/locations/${place}`, value }];
const post = async (gateway: TestGateway, id: string, document: unknown, token = alice) =>
  (await gateway.send('POST', `/v2/images/${id}/locations`, document, token)).status;
const patched = async (gateway: TestGateway, id: string, operations: unknown, token = alice) =>
  (await gateway.patch(`/v2/images/${id}`, operations, token)).status;

describe('a location by PATCH', () => {
  test('gives the image its bytes', async (t) => {
    const gateway = await site(t);
    const id = await gateway.create(rawFormat);
    const answer = await gateway.patch(
      `/v2/images/${id}`,
      add({ url: gateway.source, metadata: { zone: 'a', store: 'claimed' } }),
    );
    assert.equal(answer.status, 200, answer.text);
    const { status, size, locations, direct_url, stores } = answer.json();
    assert.deepEqual([status, size, direct_url, stores], ['active', 15, gateway.source, 'web']);
    assert.deepEqual(locations, [{ url: gateway.source, metadata: { zone: 'a', store: 'web' } }]);
    const got = await gateway.ask(`/v2/images/${id}/file`, { headers: { Range: 'bytes=6-7' } });
    assert.deepEqual([got.status, got.text], [206, 'of']);
    assert.ok(!('content-md5' in got.headers));
  });

  test('is refused by the schema where its validation data has no room for digests', async (t) => {
    const gateway = await site(t);
    const id = await gateway.create(rawFormat);
    const said = { os_hash_algo: 'sha512', os_hash_value: sha512 };
    const adding = (validation_data: object) =>
      patched(gateway, id, add({ url: gateway.source, metadata: {}, validation_data }));
    for (const checksum of ['ab', 'a'.repeat(31), 'a'.repeat(33)])
      assert.equal(await adding({ ...said, checksum }), 400, checksum);
    assert.equal(await adding({ ...said, checksum: 'z'.repeat(32) }), 409);
    assert.equal(await adding({ ...said, os_hash_value: 'a'.repeat(129) }), 400);
    assert.equal(await adding({ ...said, os_hash_value: 'ab' }), 409);
  });

  test('has the image answer 503 while its server is away, 204 when the bytes are gone', async (t) => {
    const gateway = await site(t);
    const id = await gateway.create(rawFormat);
    await gateway.patch(`/v2/images/${id}`, add({ url: gateway.source, metadata: {} }));
    const read = async () => (await gateway.ask(`/v2/images/${id}/file`)).status;
    assert.equal(await read(), 200);
    gateway.server.answer('/source', (_, response) => void response.writeHead(500).end());
    assert.equal(await read(), 503);
    gateway.server.put('/source', Buffer.from('other bytes, and more of them'));
    assert.equal(await read(), 503);
    gateway.server.remove('/source');
    assert.equal(await read(), 204);
  });

  test('is looked at for nobody who may not add it, or could not', async (t) => {
    const gateway = await site(t);
    const own = await gateway.create({ ...rawFormat, visibility: 'private' });
    const value = { url: gateway.source, metadata: {} };
    assert.equal(await patched(gateway, own, add(value), reader), 403);
    assert.equal(await patched(gateway, own, add(value), bob), 404);
    const off = await gateway.createActive(bytes);
    await gateway.ask(`/v2/images/${off}/actions/deactivate`, { method: 'POST' });
    assert.equal(await patched(gateway, off, add(value)), 409);
    const many = Array.from({ length: 11 }, () => add(value)[0]);
    assert.equal(await patched(gateway, own, many), 413);
    const hidden = await site(t, false);
    const other = await hidden.create(rawFormat);
    assert.equal(await patched(hidden, other, add({ url: hidden.source, metadata: {} })), 403);
    assert.deepEqual([...gateway.server.requests, ...hidden.server.requests], []);
  });

  test('is refused where the guard, the server or its text says no', async (t) => {
    const gateway = await site(t);
    const id = await gateway.create(rawFormat);
    const { port } = gateway.server;
    for (const url of [
      ...['file:///etc/passwd', 'filesystem:///x', 'swift+config://a/b', 'rbd://a', 'x', ''],
      ...['http://user:pw@127.0.0.1/', `http://2130706433:${port}/`, `http://10.0.0.1:${port}/`],
      ...['http://127.0.0.1:1/', `http://169.254.169.254:${port}/`, `${gateway.server.url}/gone`],
      ...[`${gateway.server.url}/\0`, `${gateway.server.url}/${'x'.repeat(255)}`],
      gateway.server.put('/empty', Buffer.alloc(0)),
    ])
      assert.equal(await patched(gateway, id, add({ url, metadata: {} })), 400, url);
    const { source: url } = gateway;
    for (const metadata of [{ a: '\0' }, { a: 'x'.repeat(20_000) }, { a: [['\ud800']] }, 'text'])
      assert.equal(await patched(gateway, id, add({ url, metadata })), 400);
    assert.deepEqual(await gateway.events(id), ['ImageCreated']);
  });

  test('is no door for a pointer of another shape', async (t) => {
    const gateway = await site(t);
    const id = await gateway.createActive(bytes);
    const value = { url: gateway.source, metadata: {} };
    for (const path of ['/locations', '/locations/-1', '/locations/1e0', '/locations/0/url'])
      assert.equal(await patched(gateway, id, [{ op: 'add', path, value }]), 400, path);
    for (const path of ['/locations', '/locations/x'])
      assert.equal(await patched(gateway, id, [{ op: 'remove', path }], admin), 400, path);
    assert.equal(await patched(gateway, id, [{ op: 'replace', path: '/locations/0', value }]), 400);
    assert.equal(await patched(gateway, id, add(value, '2')), 400);
    assert.equal(await patched(gateway, id, add(value, '99999999999999999999')), 400);
  });

  test('of our own keeps its URL, whatever its metadata becomes', async (t) => {
    const gateway = await site(t);
    const id = await gateway.createActive(bytes);
    const shown = async () =>
      (await gateway.ask(`/v2/images/${id}`)).json().locations as { url: string }[];
    const [own] = await shown();
    const replaced = (value: unknown) =>
      patched(gateway, id, [{ op: 'replace', path: '/locations', value }]);
    assert.equal(await replaced([{ ...own, metadata: { tier: 'hot' } }]), 200);
    assert.deepEqual(await shown(), [{ url: own?.url, metadata: { tier: 'hot', store: 'file' } }]);
    assert.equal(await replaced([{ url: 'file:///etc/passwd', metadata: {} }]), 400);
    assert.equal(await replaced([{ url: gateway.source, metadata: {} }]), 400);
    assert.equal(await replaced([]), 403);
    assert.deepEqual(gateway.server.requests, []);
  });
});

describe('POST /v2/images/{id}/locations', () => {
  test('asks a worker to look', async (t) => {
    const gateway = await site(t);
    const [plain, checked] = [await gateway.create(rawFormat), await gateway.create(rawFormat)];
    assert.equal(await post(gateway, plain, { url: gateway.source }), 202);
    assert.equal((await gateway.ask(`/v2/images/${plain}`)).json().status, 'queued');
    const validation_data = { os_hash_algo: 'sha512', os_hash_value: sha512.toUpperCase() };
    assert.equal(await post(gateway, checked, { url: gateway.source, validation_data }), 202);
    assert.equal((await gateway.ask(`/v2/images/${checked}`)).json().status, 'importing');
    const { events } = await gateway.ports.log.readStream(`image-${checked}`);
    const asked = events.at(-1)?.data.method ?? assert.fail('nothing was asked');
    const { name, locationId: _, ...method } = asked as Record<string, unknown>;
    assert.equal(name, 'location');
    assert.deepEqual(method, {
      store: 'web',
      url: gateway.source,
      metadata: {},
      validation: { algorithm: 'sha512', value: sha512, checksum: null },
    });
    assert.deepEqual(gateway.server.requests, [], 'the gateway itself asks nobody');
    assert.equal(await post(gateway, plain, { url: gateway.source }), 409);
  });

  test('is refused as the reference says', async (t) => {
    const gateway = await site(t);
    const id = await gateway.create({ ...rawFormat, visibility: 'private' });
    const { source: url } = gateway;
    for (const document of [{}, [], 'x', { url, more: 1 }, { url, validation_data: {} }])
      assert.equal(await post(gateway, id, document), 400);
    const wrong = { os_hash_algo: 'md5', os_hash_value: 'g'.repeat(32) };
    assert.equal(await post(gateway, id, { url, validation_data: wrong }), 400);
    assert.equal(await post(gateway, id, { url: 'rbd://a/b' }), 403);
    assert.equal(await post(gateway, id, { url: 'rbd://a/b' }, admin), 400);
    assert.equal(await post(gateway, id, { url: 'http://u:p@127.0.0.1/' }), 400);
    assert.equal(await post(gateway, id, { url }, reader), 403);
    assert.equal(await post(gateway, id, { url }, bob), 404);
    assert.equal(await post(gateway, await gateway.createActive(bytes), { url }), 409);
    const bare = await gateway.create({ disk_format: 'raw' });
    assert.equal(await post(gateway, bare, { url }), 409);
  });

  test('is 403 where no store reads URLs, for services too', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ ...rawFormat, visibility: 'community' });
    for (const token of [alice, admin])
      assert.equal(await post(gateway, id, { url: 'http://images.example/x' }, token), 403);
  });
});

describe('GET /v2/images/{id}/locations', () => {
  test('is a bare array, for services, whatever else is hidden', async (t) => {
    const gateway = await site(t, false);
    const id = await gateway.createActive(bytes, { visibility: 'community' });
    const get = (token: string) => gateway.ask(`/v2/images/${id}/locations`, { token });
    const [location, ...rest] = JSON.parse((await get(service)).text);
    assert.deepEqual([rest, location.metadata], [[], { store: 'file' }]);
    assert.match(location.url, /^file:/);
    assert.equal((await get(admin)).status, 200);
    for (const token of [alice, reader, bob]) assert.equal((await get(token)).status, 403);
    const queued = await gateway.create({ visibility: 'community' });
    const empty = await gateway.ask(`/v2/images/${queued}/locations`, { token: service });
    assert.equal(empty.text, '[]');
  });
});
