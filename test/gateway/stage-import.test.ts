import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { storesFrom } from '../../infra/store/stores.ts';
import {
  admin,
  bob,
  type GatewayOptions,
  octets,
  rawFormat,
  reader,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { assertUndone, whenStaged } from '../support/gateway-uploads.ts';
import { hex, pipeline } from '../support/gateway-worker.ts';
import type { Answer } from '../support/http.ts';
import { writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';

const bytes = randomBytes(2 * 1024 * 1024 + 17);
const direct = { method: { name: 'glance-direct' } };

const start = (t: TestContext, more: GatewayOptions = {}) =>
  startGateway(t, {
    ...more,
    change: (ports) =>
      (more.change ?? ((one) => one))({ ...ports, importMethods: ['glance-direct'] }),
  });
const severalStores = (t: TestContext) =>
  start(t, {
    worker: false,
    change: (ports) => ({
      ...ports,
      stores: storesFrom(
        ['fast', 'cheap'].map((id) => {
          const one = ports.stores.all[0]?.writer;
          assert.ok(one);
          return writableStore(id, one);
        }),
        'fast',
      ),
    }),
  });

const stage = (
  gateway: TestGateway,
  id: string,
  {
    body = bytes,
    headers = {},
    token,
  }: { body?: Uint8Array; headers?: object; token?: string } = {},
): Promise<Answer> =>
  gateway.ask(`/v2/images/${id}/stage`, {
    method: 'PUT',
    headers: { ...octets, ...headers },
    body,
    ...(token === undefined ? {} : { token }),
  });

const show = async (gateway: TestGateway, id: string) =>
  (await gateway.ask(`/v2/images/${id}`)).json();

async function staged(gateway: TestGateway, document: object = {}): Promise<string> {
  const id = await gateway.create({ ...rawFormat, ...document });
  assert.equal((await stage(gateway, id)).status, 204);
  return id;
}

const begin = (gateway: TestGateway, id: string, document: unknown = direct, token?: string) =>
  gateway.send('POST', `/v2/images/${id}/import`, document, token);

async function taskOf(gateway: TestGateway, id: string) {
  const { tasks } = (await gateway.ask(`/v2/images/${id}/tasks`)).json();
  return (tasks as Record<string, unknown>[])[0];
}

describe('PUT /v2/images/{id}/stage', () => {
  test('answers 204 when the bytes are durable, and leaves the image uploading with its size', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create({ disk_format: null, container_format: null });
    const answer = await stage(gateway, id);
    assert.deepEqual([answer.status, answer.text], [204, '']);
    const { status, size, checksum, os_hash_value, virtual_size } = await show(gateway, id);
    assert.deepEqual(
      { status, size, checksum, os_hash_value, virtual_size },
      {
        status: 'uploading',
        size: bytes.length,
        checksum: null,
        os_hash_value: null,
        virtual_size: null,
      },
    );
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const [, begun, done] = events;
    assert.deepEqual([begun?.type, begun?.data.purpose], ['UploadStarted', 'stage']);
    assert.equal(begun?.metadata.rule, 'modify_image');
    assert.deepEqual([done?.type, done?.data.size], ['UploadStaged', bytes.length]);
    assert.equal((await gateway.staged()).length, 1);
    assert.equal((await gateway.ask(`/v2/images/${id}/file`)).status, 204);
  });

  test('is 404 where glance-direct is not enabled', async (t) => {
    const gateway = await startGateway(t);
    assert.equal((await stage(gateway, await gateway.create(rawFormat))).status, 404);
  });

  test('of what is staged, or is an image already, is 409', async (t) => {
    const gateway = await start(t);
    const id = await staged(gateway);
    assert.equal((await stage(gateway, id)).status, 409);
    assert.equal((await gateway.upload(id, bytes)).status, 409);
    assert.equal((await stage(gateway, await gateway.createActive(bytes))).status, 409);
  });

  test('refuses another Content-Type with 415 and a size that is none with 400', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    assert.equal(
      (await stage(gateway, id, { headers: { 'Content-Type': 'text/plain' } })).status,
      415,
    );
    const headers = { 'X-OpenStack-Image-Size': 'many' };
    assert.equal((await stage(gateway, id, { headers })).status, 400);
    assert.deepEqual(await gateway.events(id), ['ImageCreated']);
  });

  test('is for who may change the image', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    assert.equal((await stage(gateway, id, { token: bob })).status, 404);
    assert.equal((await stage(gateway, id, { token: reader })).status, 403);
    assert.equal((await stage(gateway, randomUUID())).status, 404);
    const open = await gateway.create({ ...rawFormat, visibility: 'community' });
    assert.equal((await stage(gateway, open, { token: bob })).status, 403);
  });

  test('that brings another size than announced is undone, and can be done again', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    for (const size of [bytes.length - 1, bytes.length + 1]) {
      const headers = { 'Transfer-Encoding': 'chunked', 'X-OpenStack-Image-Size': String(size) };
      assert.equal((await stage(gateway, id, { headers })).status, 400);
      await assertUndone(gateway, id, 'size-mismatch');
    }
    assert.equal((await show(gateway, id)).size, null);
    assert.equal((await stage(gateway, id)).status, 204);
  });

  test('beyond the size cap is 413', async (t) => {
    const gateway = await start(t, {
      change: (ports) => ({ ...ports, uploads: { ...ports.uploads, sizeCap: 1024 } }),
    });
    const id = await gateway.create(rawFormat);
    assert.equal((await stage(gateway, id)).status, 413);
    await assertUndone(gateway, id, 'too-large');
  });

  test('of an image that was deleted is gone with it', async (t) => {
    const gateway = await start(t);
    const id = await staged(gateway);
    assert.equal((await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' })).status, 204);
    assert.equal((await gateway.ask(`/v2/images/${id}`)).status, 404);
    assert.equal((await begin(gateway, id)).status, 404);
  });
});

describe('POST /v2/images/{id}/import', () => {
  test('by glance-direct makes what is staged the image', async (t) => {
    const gateway = await start(t);
    const id = await staged(gateway);
    const answer = await begin(gateway, id);
    assert.deepEqual([answer.status, answer.text], [202, '']);
    const shown = await until('the image to be active', async () => {
      const image = await show(gateway, id);
      return image.status === 'active' ? image : undefined;
    });
    assert.equal(shown.checksum, hex('md5', bytes));
    assert.equal(shown.os_glance_import_task, undefined);
    assert.equal(shown.os_glance_importing_to_stores, '');
    assert.equal(shown.os_glance_failed_import, '');
    assert.ok((await gateway.ask(`/v2/images/${id}/file`)).bytes.equals(bytes));
    assert.equal((await begin(gateway, id)).status, 409);
  });

  test('holds the image until it is over, and says how far it is', async (t) => {
    const gateway = await severalStores(t);
    const id = await staged(gateway);
    assert.equal((await begin(gateway, id, { ...direct, all_stores: true })).status, 202);
    const { uploadId } = await whenStaged(gateway, id);
    const shown = await show(gateway, id);
    assert.deepEqual(
      [
        shown.status,
        shown.os_glance_import_task,
        shown.os_glance_importing_to_stores,
        shown.os_glance_failed_import,
      ],
      ['importing', uploadId, 'fast,cheap', ''],
    );
    for (const again of [begin(gateway, id), stage(gateway, id), gateway.upload(id, bytes)])
      assert.equal((await again).status, 409);
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    assert.deepEqual(events.at(-1)?.data, {
      uploadId,
      method: { name: 'glance-direct' },
      stores: ['fast', 'cheap'],
      allStoresMustSucceed: true,
    });
  });

  test('that fails leaves the image queued, and its owner can read why', async (t) => {
    const gateway = await severalStores(t);
    const id = await staged(gateway);
    await begin(gateway, id, { ...direct, stores: ['cheap'] });
    const { uploadId } = await whenStaged(gateway, id);
    const tell = pipeline(gateway.ports.log);
    await tell(id, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'w' });
    const running = await taskOf(gateway, id);
    assert.deepEqual([running?.status, running?.expires_at], ['processing', null]);
    const message = 'it is no raw image';
    await tell(id, { type: 'FailIngest', uploadId, epoch: 1, reason: 'format-refused', message });
    const shown = await show(gateway, id);
    assert.deepEqual(
      [
        shown.status,
        shown.size,
        shown.os_glance_import_task,
        shown.os_glance_importing_to_stores,
        shown.os_glance_failed_import,
        shown.os_glance_failed_upload,
      ],
      ['queued', null, undefined, '', 'cheap', message],
    );
    const task = await taskOf(gateway, id);
    assert.deepEqual([task?.status, task?.message], ['failure', message]);
    assert.equal((await stage(gateway, id)).status, 204);
  });

  test('is accepted for who may change an image that is staged and has formats', async (t) => {
    const gateway = await start(t);
    const id = await staged(gateway);
    const queued = await gateway.create(rawFormat);
    const formless = await staged(gateway, { disk_format: null });
    for (const [wanted, answer] of [
      [404, begin(gateway, id, direct, bob)],
      [403, begin(gateway, id, direct, reader)],
      [404, begin(gateway, randomUUID())],
      [409, begin(gateway, queued)],
      [409, begin(gateway, formless)],
      [202, begin(gateway, id, direct, admin)],
    ] as const)
      assert.equal((await answer).status, wanted);
  });

  for (const [what, document] of Object.entries({
    'a list': [],
    'no method': {},
    'a method without a name': { method: {} },
    'a method that is text': { method: 'glance-direct' },
    'an unknown method': { method: { name: 'by-post' } },
    'a method that is not enabled': { method: { name: 'web-download', uri: 'http://x/y' } },
    'a method of JavaScript': { method: { name: 'constructor' } },
    'all_stores as text': { ...direct, all_stores: 'yes' },
    'all_stores_must_succeed as a number': { ...direct, all_stores_must_succeed: 1 },
    'stores as text': { ...direct, stores: 'file' },
    'stores that are numbers': { ...direct, stores: [1] },
    'stores and all stores': { ...direct, stores: ['file'], all_stores: true },
    'all_stores_must_succeed = false with one store': { ...direct, all_stores_must_succeed: false },
  }))
    test(`with ${what} is 400`, async (t) => {
      const gateway = await start(t);
      const id = await staged(gateway);
      assert.equal((await begin(gateway, id, document)).status, 400);
      assert.equal((await show(gateway, id)).status, 'uploading');
    });

  test('goes to the store in the header, those in the body, all, or the default one', async (t) => {
    const gateway = await severalStores(t);
    const to = async (document: object, header?: string): Promise<unknown> => {
      const id = await staged(gateway);
      const { status } = await gateway.ask(`/v2/images/${id}/import`, {
        method: 'POST',
        body: JSON.stringify({ ...direct, ...document }),
        ...(header === undefined ? {} : { headers: { 'X-Image-Meta-Store': header } }),
      });
      return status === 202 ? (await show(gateway, id)).os_glance_importing_to_stores : status;
    };
    assert.equal(await to({}), 'fast');
    assert.equal(await to({}, 'cheap'), 'cheap');
    assert.equal(await to({ stores: ['cheap', 'fast', 'cheap'] }), 'cheap,fast');
    assert.equal(await to({ stores: [] }, 'cheap'), 'cheap');
    assert.equal(await to({ all_stores: true, all_stores_must_succeed: false }), 'fast,cheap');
    assert.equal(await to({ stores: ['fast', 'nowhere'] }), 409);
    assert.equal(await to({}, 'nowhere'), 409);
    assert.equal(await to({ stores: ['fast'] }, 'cheap'), 400);
    assert.equal(await to({ all_stores: true }, 'cheap'), 400);
  });

  test('to an unknown store is first of all 404 for whom there is no image', async (t) => {
    const gateway = await start(t);
    const id = await staged(gateway);
    const document = { ...direct, stores: ['nowhere'] };
    assert.equal((await begin(gateway, id, document, bob)).status, 404);
    assert.equal((await begin(gateway, id, document, reader)).status, 403);
    assert.equal((await begin(gateway, id, document)).status, 409);
  });

  test('is announced where images are created and asked about', async (t) => {
    const gateway = await start(t);
    const created = await gateway.send('POST', '/v2/images', {});
    assert.equal(created.headers['openstack-image-import-methods'], 'glance-direct');
    const told = (await gateway.ask('/v2/info/import')).json()['import-methods'];
    assert.deepEqual((told as { value: unknown }).value, ['glance-direct']);
  });
});
