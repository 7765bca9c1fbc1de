import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { NewEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type Store, StoreUnavailable } from '../../domain/store.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { memoryStore } from '../../infra/store/memory.ts';
import { knownStores, whileMounted } from '../../infra/store/mounted.ts';
import { type NamedStore, storesFrom } from '../../infra/store/stores.ts';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import {
  admin,
  alice,
  bob,
  octets,
  rawFormat,
  reader,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { localHttpStore, writableStore } from '../support/stores.ts';

const bytes = randomBytes(5_000);

interface Site extends TestGateway {
  readonly server: FileServer;
  /** What the store `fast` does when it is read. */
  failFast(error: Error | undefined): void;
  /** From which byte on `fast` cannot be read, though it can be opened. */
  loseFast(from: number): void;
  /** Puts the image's bytes under the same key into `fast`, as an import to both stores would. */
  copyToFast(id: string): Promise<void>;
}

/** Two stores of files and one of URLs; reads prefer `fast`. */
async function severalStores(t: TestContext, show = false): Promise<Site> {
  const server = await startFileServer();
  t.after(() => server.stop());
  let failure: Error | undefined;
  const fast = memoryStore();
  let lostFrom = Number.POSITIVE_INFINITY;
  const faulty: Pick<Store, 'open'> = {
    async open(key) {
      if (failure !== undefined) throw failure;
      const object = await fast.open(key);
      return {
        ...object,
        async read(into, offset) {
          if (offset >= lostFrom) throw new StoreUnavailable('a bad disk', undefined);
          return object.read(into, offset);
        },
      };
    },
  };
  const gateway = await startGateway(t, {
    change: (ports) => {
      const file = ports.stores.all[0] as NamedStore;
      const all = [
        { ...file, description: 'discs' },
        writableStore('fast', fast, { weight: 10, reader: faulty }),
        localHttpStore('web', [server.port], { weight: 5 }),
      ];
      const showing = { locations: show, directUrl: show };
      return { ...ports, stores: storesFrom(all, 'file'), showing };
    },
  });
  return {
    ...gateway,
    server,
    failFast(error) {
      failure = error;
    },
    loseFast(from) {
      lostFrom = from;
    },
    async copyToFast(id) {
      const { events } = await gateway.ports.log.readStream(`image-${id}`);
      const stored = events.find(({ type }) => type === 'ImageDataStored');
      const key = String(stored?.data.key);
      const staged = {
        path: null,
        watermark: async () => bytes.length,
        read: async (into: Uint8Array) => bytes.copy(into),
        close: async () => {},
      };
      await fast.promote(staged, key, bytes.length, new AbortController().signal);
      const { revision } = await gateway.ports.log.readStream(`image-${id}`);
      const copied = (type: string, data: JsonObject): NewEvent => ({
        id: randomUUID(),
        type,
        schemaVersion: 1,
        metadata: events.at(-1)?.metadata ?? assert.fail('there is no such image'),
        data: { uploadId: 'copy', ...data },
      });
      const facts = [
        copied('ImportRequested', {
          method: { name: 'glance-direct' },
          stores: ['fast'],
          allStoresMustSucceed: true,
        }),
        copied('ImageDataStored', { epoch: 1, store: 'fast', key, size: bytes.length }),
        copied('ImportCompleted', {}),
      ];
      await gateway.ports.log.append(`image-${id}`, facts, revision);
    },
  };
}

const put = (gateway: TestGateway, id: string, store: string, token = alice) =>
  gateway.ask(`/v2/images/${id}/file`, {
    method: 'PUT',
    token,
    headers: { ...octets, 'X-Image-Meta-Store': store },
    body: bytes,
  });
const show = async (gateway: TestGateway, id: string, token = alice) =>
  (await gateway.ask(`/v2/images/${id}`, { token })).json();

describe('a site with several stores', () => {
  test('names them, one the default, those of URLs as read-only', async (t) => {
    const gateway = await severalStores(t);
    const { stores } = (await gateway.ask('/v2/info/stores')).json();
    assert.deepEqual(stores, [
      { id: 'file', description: 'discs', default: 'true' },
      { id: 'fast' },
      { id: 'web', 'read-only': 'true' },
    ]);
    assert.equal((await gateway.ask('/v2/info/stores/detail')).status, 403);
    const detail = (await gateway.ask('/v2/info/stores/detail', { token: admin })).json();
    assert.deepEqual(detail.stores, [
      {
        id: 'file',
        description: 'discs',
        default: 'true',
        type: 'file',
        weight: 0,
        properties: { data_dir: '/', chunk_size: 1, thin_provisioning: false },
      },
      {
        id: 'fast',
        type: 'file',
        weight: 10,
        properties: { data_dir: '/', chunk_size: 1, thin_provisioning: false },
      },
      { id: 'web', 'read-only': 'true', type: 'http', weight: 5, properties: {} },
    ]);
  });

  test('announces them with each new image, and the versions that know them', async (t) => {
    const gateway = await severalStores(t);
    const created = await gateway.send('POST', '/v2/images', {});
    assert.equal(created.headers['openstack-image-store-ids'], 'file,fast,web');
    const { versions } = (await gateway.ask('/versions')).json() as { versions: { id: string }[] };
    assert.deepEqual(
      versions.map(({ id }) => id.slice(3)).join(),
      '15,13,12,11,10,9,8,17,7,6,5,4,3,2,1,0',
    );
    assert.equal((await gateway.ask('/v2.13/images')).status, 200);
  });

  test('keeps an upload where the client says, and shows where that is', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.create(rawFormat);
    assert.ok(!('stores' in (await show(gateway, id))));
    assert.equal((await put(gateway, id, 'fast')).status, 204);
    assert.equal((await show(gateway, id)).stores, 'fast');
    assert.ok((await gateway.ask(`/v2/images/${id}/file`)).bytes.equals(bytes));
    assert.equal((await show(gateway, await gateway.createActive(bytes))).stores, 'file');
  });

  test('refuses an upload to an unknown store with 400, to a closed one with 410', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.create({ ...rawFormat, visibility: 'private' });
    assert.equal((await put(gateway, id, 'nowhere')).status, 400);
    assert.equal((await put(gateway, id, 'web', reader)).status, 403);
    assert.equal((await put(gateway, id, 'web', bob)).status, 404);
    assert.equal((await put(gateway, id, 'web')).status, 410);
    assert.equal((await show(gateway, id)).status, 'queued');
    assert.equal((await put(gateway, id, 'file')).status, 204);
    assert.equal((await put(gateway, id, 'web')).status, 409);
  });

  test('reads the copy of the heaviest store, or of one that is preferred', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.createActive(bytes);
    await gateway.copyToFast(id);
    assert.equal((await show(gateway, id)).stores, 'file,fast');
    const read = async (query = '') => (await gateway.ask(`/v2/images/${id}/file${query}`)).status;
    gateway.failFast(new Error('a bug, not an outage'));
    assert.equal(await read(), 500);
    assert.equal(await read('?prefer=file'), 200);
    assert.equal(await read('?prefer=web,file,fast'), 200);
    assert.equal(await read('?prefer=fast,file'), 500);
    assert.equal(await read('?prefer=nowhere'), 400);
    assert.equal(await read('?prefer='), 400);
  });

  test('reads another copy when a store is away or has lost its own', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.createActive(bytes);
    await gateway.copyToFast(id);
    gateway.failFast(new StoreUnavailable('away', undefined));
    const got = await gateway.ask(`/v2/images/${id}/file`);
    assert.equal(got.status, 200);
    assert.ok(got.bytes.equals(bytes));
    const only = await gateway.create(rawFormat);
    await put(gateway, only, 'fast');
    assert.equal((await gateway.ask(`/v2/images/${only}/file`)).status, 503);
  });

  test('reads another copy when the first read of one fails, before anything was sent', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.createActive(bytes);
    await gateway.copyToFast(id);
    for (const [lost, code] of [
      [0, 200],
      [3_000, 206],
    ] as const) {
      gateway.loseFast(lost);
      const headers = code === 206 ? { Range: 'bytes=3000-3999' } : {};
      const got = await gateway.ask(`/v2/images/${id}/file`, { headers });
      assert.equal(got.status, code);
      assert.ok(got.bytes.equals(code === 206 ? bytes.subarray(3_000, 4_000) : bytes));
      assert.equal(got.headers['content-length'], String(got.bytes.length));
    }
    const only = await gateway.create(rawFormat);
    await put(gateway, only, 'fast');
    gateway.loseFast(0);
    const refused = await gateway.ask(`/v2/images/${only}/file`);
    assert.equal(refused.status, 503);
    assert.match(refused.text, /The store fast cannot be read just now/);
    assert.ok(!('content-md5' in refused.headers));
  });

  test('answers 503 by the name of a store whose disk is not mounted', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-unmounted-'));
    t.after(() => rm(directory, { recursive: true }));
    const place = { id: 'disk', directory };
    const store = whileMounted(
      filesystemStore(directory),
      place,
      knownStores(join(directory, 'data')),
    );
    const gateway = await startGateway(t, {
      change: (ports) => ({ ...ports, stores: storesFrom([writableStore('disk', store)], 'disk') }),
    });
    const id = await gateway.create(rawFormat);
    assert.equal((await put(gateway, id, 'disk')).status, 204);
    assert.equal((await gateway.ask(`/v2/images/${id}/file`)).status, 200);
    for (const name of await readdir(directory))
      if (name !== 'data') await rm(join(directory, name), { recursive: true });
    const away = await gateway.ask(`/v2/images/${id}/file`);
    assert.equal(away.status, 503);
    assert.match(away.text, /The store disk cannot be read just now/);
    assert.ok(!away.text.includes(directory));
  });

  test('answers 503 when a copy that could be opened cannot be read', async (t) => {
    const gateway = await severalStores(t, true);
    const url = gateway.server.answer('/changing', (request, response) => {
      const size = request.method === 'HEAD' ? bytes.length : bytes.length + 1;
      response.writeHead(200, { 'Content-Length': size }).end();
    });
    const id = await gateway.create(rawFormat);
    const added = await gateway.patch(`/v2/images/${id}`, [
      { op: 'add', path: '/locations/-', value: { url, metadata: {} } },
    ]);
    assert.equal(added.status, 200);
    const read = await gateway.ask(`/v2/images/${id}/file`, { headers: { Range: 'bytes=0-9' } });
    assert.equal(read.status, 503);
    assert.ok(!('content-range' in read.headers));
    assert.match(read.text, /Service Unavailable/);
  });
});

describe('DELETE /v2/stores/{store}/{image}', () => {
  const remove = async (gateway: TestGateway, store: string, id: string, token = admin) =>
    (await gateway.ask(`/v2/stores/${store}/${id}`, { method: 'DELETE', token })).status;

  test('takes one copy away, and never the last', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.createActive(bytes);
    assert.equal(await remove(gateway, 'file', id), 403);
    await gateway.copyToFast(id);
    assert.equal(await remove(gateway, 'file', id), 204);
    assert.equal((await show(gateway, id)).stores, 'fast');
    assert.ok((await gateway.ask(`/v2/images/${id}/file`)).bytes.equals(bytes));
    assert.equal(await remove(gateway, 'fast', id), 403);
    assert.equal(await remove(gateway, 'file', id), 403, 'as Glance, though it is not there');
  });

  test('is refused as the reference says', async (t) => {
    const gateway = await severalStores(t);
    const id = await gateway.createActive(bytes, { visibility: 'private' });
    await gateway.copyToFast(id);
    assert.equal(await remove(gateway, 'nowhere', id), 409);
    assert.equal(await remove(gateway, 'web', id), 404);
    assert.equal(await remove(gateway, 'file', id, alice), 403);
    assert.equal(await remove(gateway, 'file', id, bob), 404);
    assert.equal(await remove(gateway, 'file', randomUUID()), 404);
    await gateway.ask(`/v2/images/${id}/actions/deactivate`, { method: 'POST' });
    assert.equal(await remove(gateway, 'file', id), 409);
    assert.equal(await remove(gateway, 'file', await gateway.create(rawFormat)), 409);
  });
});

describe('places of bytes', () => {
  test('are shown only where the operator wants them shown', async (t) => {
    const [open, closed] = [await severalStores(t, true), await severalStores(t)];
    const id = await open.createActive(bytes);
    await open.copyToFast(id);
    const shown = await show(open, id);
    const [first, second] = shown.locations as { url: string; metadata: object }[];
    assert.match(first?.url ?? '', new RegExp(`^file:///file/${id}/`));
    assert.deepEqual([first?.metadata, second?.metadata], [{ store: 'file' }, { store: 'fast' }]);
    assert.equal(shown.direct_url, second?.url, 'of the heaviest store');
    const queued = await show(open, await open.create(rawFormat));
    assert.deepEqual([queued.locations, 'direct_url' in queued], [[], false]);
    const hidden = await show(closed, await closed.createActive(bytes));
    assert.ok(!('locations' in hidden) && !('direct_url' in hidden));
  });

  test('in a store that is no more are told by its name', async (t) => {
    let lost = false;
    const gateway = await startGateway(t, {
      change: (ports) => {
        const [file] = ports.stores.all as readonly [NamedStore];
        const both = storesFrom([file, writableStore('old', memoryStore())], 'file');
        const one = storesFrom([file], 'file');
        const stores = {
          ...both,
          get byId() {
            return lost ? one.byId : both.byId;
          },
        };
        return { ...ports, stores, showing: { locations: true, directUrl: true } };
      },
    });
    const id = await gateway.create(rawFormat);
    assert.equal((await put(gateway, id, 'old')).status, 204);
    lost = true;
    const { locations, direct_url } = await show(gateway, id);
    const [{ url } = { url: '' }] = locations as { url: string }[];
    assert.match(url, new RegExp(`^store://old/${id}/[0-9a-f-]{36}/1$`));
    assert.ok(URL.canParse(url));
    assert.equal(direct_url, url);
    const away = await gateway.ask(`/v2/images/${id}/file`);
    assert.equal(away.status, 503);
    assert.match(away.text, /The store old cannot be read just now/);
  });

  test('of a deactivated image are for administrators', async (t) => {
    const gateway = await severalStores(t, true);
    const id = await gateway.createActive(bytes);
    await gateway.ask(`/v2/images/${id}/actions/deactivate`, { method: 'POST' });
    const own = await show(gateway, id);
    assert.deepEqual([own.locations, 'direct_url' in own, own.stores], [[], false, 'file']);
    const all = await show(gateway, id, admin);
    assert.equal((all.locations as unknown[]).length, 1);
    assert.ok('direct_url' in all);
  });
});
