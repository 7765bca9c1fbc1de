import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import type { Amounts } from '../../domain/quota/resources.ts';
import {
  admin,
  alice,
  bob,
  type GatewayOptions,
  octets,
  rawFormat,
  reader,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { assertUndone, whenStaged } from '../support/gateway-uploads.ts';
import { memoryQuota, memoryQuotas } from '../support/quotas.ts';
import { until } from '../support/until.ts';

const limited = (limits: Amounts, slice?: number): GatewayOptions => ({
  change: (ports) => ({
    ...ports,
    quota: memoryQuota(ports.log, limits, slice === undefined ? {} : { slice }),
  }),
});
const open = (gateway: TestGateway) => memoryQuotas(gateway.ports.log).openReservations();
type Told = Readonly<Record<string, { readonly usage: number; readonly limit: number }>>;
const usage = async (gateway: TestGateway): Promise<Told> =>
  (await gateway.ask('/v2/info/usage')).json().usage as Told;
const mebibyte = 1024 ** 2;
const unlimited = (used: number) => ({ usage: used, limit: -1 });

/** A body in pieces, of no announced length. */
async function* chunked(...pieces: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield new Uint8Array(piece);
}
const put = (gateway: TestGateway, id: string, body: AsyncGenerator<Uint8Array>) =>
  fetch(`${gateway.url}/v2/images/${id}/file`, {
    method: 'PUT',
    headers: { ...octets, 'X-Auth-Token': alice },
    body: ReadableStream.from(body) as never,
    duplex: 'half',
  } as RequestInit);
const uploadChunked = (gateway: TestGateway, id: string, ...pieces: readonly number[]) =>
  put(gateway, id, chunked(...pieces));

describe('a limit on images', () => {
  test('lets in as many, refuses the next and lets in another after a delete', async (t) => {
    const gateway = await startGateway(t, limited({ images: 2 }));
    const id = await gateway.create();
    await gateway.create();
    const refused = await gateway.send('POST', '/v2/images', {});
    assert.equal(refused.status, 413);
    assert.match(refused.text, /image_count_total is over limit of 2 due to current usage 2/);
    await gateway.create({}, bob);
    assert.equal((await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' })).status, 204);
    await gateway.create();
    assert.deepEqual(await open(gateway), []);
  });

  test('counts an image for whom it belongs to', async (t) => {
    const gateway = await startGateway(t, limited({ images: 1 }));
    await gateway.create({ owner: 'red' }, admin);
    assert.equal((await gateway.send('POST', '/v2/images', {})).status, 413);
    await gateway.create({}, admin);
  });

  test('of many at once exactly as many are made', async (t) => {
    const gateway = await startGateway(t, limited({ images: 7 }));
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => gateway.send('POST', '/v2/images', {})),
    );
    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 413);
    assert.deepEqual([made.length, refused.length], [7, 33]);
    assert.deepEqual(await open(gateway), []);
    t.diagnostic(`of 40 creates ${made.length} made, ${refused.length} refused`);
  });

  test('what is refused for another reason takes no room and leaves no trace', async (t) => {
    const gateway = await startGateway(t, limited({ images: 2 }));
    const id = await gateway.create();
    const before = await gateway.ports.log.head();
    assert.equal((await gateway.send('POST', '/v2/images', {}, reader)).status, 403);
    assert.equal((await gateway.send('POST', '/v2/images', { visibility: 'public' })).status, 403);
    const streams = (await gateway.ports.log.readAll(before, 100)).map(({ streamId }) => streamId);
    assert.deepEqual(
      streams.filter((stream) => stream.startsWith('project-')),
      [],
    );
    assert.equal((await gateway.send('POST', '/v2/images', { id })).status, 409);
    assert.deepEqual(await open(gateway), []);
    await gateway.create();
  });
});

test('without a limit nothing is written but the image', async (t) => {
  const gateway = await startGateway(t);
  const id = await gateway.createActive(new Uint8Array(10));
  await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
  const streams = (await gateway.ports.log.readAll(0n, 100)).map(({ streamId }) => streamId);
  assert.deepEqual([...new Set(streams)], [`image-${id}`]);
  assert.deepEqual(await usage(gateway), {});
});

test('nor of what has none where other things have', async (t) => {
  const gateway = await startGateway(t, limited({ bytes: 100 }));
  const id = await gateway.create(rawFormat);
  const streams = (await gateway.ports.log.readAll(0n, 100)).map(({ streamId }) => streamId);
  assert.deepEqual([...new Set(streams)], [`image-${id}`]);
});

describe('a limit on bytes', () => {
  test('refuses an announced size before the body, and leaves the image queued', async (t) => {
    const gateway = await startGateway(t, limited({ bytes: 100 }));
    const id = await gateway.create(rawFormat);
    const refused = await gateway.upload(id, new Uint8Array(101));
    assert.equal(refused.status, 413);
    assert.match(
      refused.text,
      /The size of the data 101 will exceed the limit. 100 bytes remaining/,
    );
    assert.deepEqual(await gateway.events(id), ['ImageCreated']);
    assert.equal((await gateway.upload(id, new Uint8Array(100))).status, 204);
    assert.deepEqual(await open(gateway), []);
  });

  test('lets an upload of unknown size in to the last byte', async (t) => {
    const gateway = await startGateway(t, limited({ bytes: 100 }, 7));
    const id = await gateway.create(rawFormat);
    assert.equal((await uploadChunked(gateway, id, 40, 30, 30)).status, 204);
    assert.deepEqual(await open(gateway), []);
    const next = await gateway.create(rawFormat);
    assert.equal((await gateway.upload(next, new Uint8Array(1))).status, 413);
    assert.equal((await gateway.upload(next, new Uint8Array(0))).status, 204);
  });

  test('refuses it with one byte more, undone and with the reason', async (t) => {
    const gateway = await startGateway(t, limited({ bytes: 100 }, 7));
    const id = await gateway.create(rawFormat);
    const refused = await uploadChunked(gateway, id, 40, 30, 31);
    assert.equal(refused.status, 413);
    await assertUndone(gateway, id, 'quota-exceeded');
    const { os_glance_failed_upload: reason } = (await gateway.ask(`/v2/images/${id}`)).json();
    assert.match(String(reason), /storage quota/);
    assert.deepEqual(await open(gateway), []);
    assert.equal((await gateway.upload(id, new Uint8Array(100))).status, 204);
  });

  test('uploads of unknown size that fit together to the last byte all succeed', async (t) => {
    const pieces = [mebibyte, mebibyte + 1, mebibyte, mebibyte, 100];
    const size = pieces.reduce((sum, piece) => sum + piece, 0);
    const gateway = await startGateway(t, limited({ bytes: 3 * size }));
    const ids = await Promise.all([1, 2, 3].map(() => gateway.create(rawFormat)));
    const answers = await Promise.all(ids.map((id) => uploadChunked(gateway, id, ...pieces)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 204, 204],
    );
    assert.deepEqual(await open(gateway), []);
    const { usage: used } = await memoryQuotas(gateway.ports.log).usageOf('red');
    assert.equal(used.bytes, 3 * size);
  });

  test('an announced size gets the room that a growing upload holds in advance', async (t) => {
    const gateway = await startGateway(t, limited({ bytes: 8 * mebibyte }));
    const [growing, announced] = [await gateway.create(rawFormat), await gateway.create(rawFormat)];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* body(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(mebibyte);
      await held;
      yield new Uint8Array(10);
    }
    const first = put(gateway, growing, body());
    await until('room to be held in advance', async () =>
      (await open(gateway)).some(({ amounts }) => (amounts.bytes ?? 0) > 4 * mebibyte),
    );
    const rest = new Uint8Array(7 * mebibyte - 10);
    assert.equal((await gateway.upload(announced, rest)).status, 204);
    release();
    assert.equal((await first).status, 204);
    assert.deepEqual(await open(gateway), []);
  });

  test('an image without bytes that came to nothing takes none', async (t) => {
    const gateway = await startGateway(t, limited({ bytes: 100, uploads: 1 }));
    const id = await gateway.create({ ...rawFormat, disk_format: 'qcow2' });
    const refused = await gateway.upload(id, new Uint8Array(10), {
      'X-OpenStack-Image-Size': '20',
    });
    assert.equal(refused.status, 400);
    assert.deepEqual(await open(gateway), []);
    assert.equal((await usage(gateway)).image_count_uploading?.usage, 0);
  });
});

describe('a limit on uploads at once', () => {
  test('refuses the next while one is under way', async (t) => {
    const gateway = await startGateway(t, { ...limited({ uploads: 1 }), worker: false });
    const [first, second] = [await gateway.create(rawFormat), await gateway.create(rawFormat)];
    const under = gateway.upload(first, new Uint8Array(10));
    await whenStaged(gateway, first);
    const refused = await gateway.upload(second, new Uint8Array(10));
    assert.equal(refused.status, 413);
    assert.match(refused.text, /image_count_uploading is over limit of 1/);
    await gateway.ask(`/v2/images/${first}`, { method: 'DELETE' });
    assert.equal((await under).status, 410);
    const third = gateway.upload(second, new Uint8Array(10));
    await whenStaged(gateway, second);
    await gateway.ask(`/v2/images/${second}`, { method: 'DELETE' });
    assert.equal((await third).status, 410);
    assert.deepEqual(await open(gateway), []);
  });

  test('an image that cannot be uploaded to says why, not that there is no room', async (t) => {
    const gateway = await startGateway(t, limited({ uploads: 0, bytes: 0 }));
    const id = await gateway.create();
    assert.equal((await gateway.upload(id, new Uint8Array(1))).status, 400);
    assert.equal((await gateway.upload(randomUUID(), new Uint8Array(1))).status, 404);
  });
});

describe('GET /v2/info/usage', () => {
  test('tells what is used, in MiB that are full, and what is allowed', async (t) => {
    const gateway = await startGateway(t, limited({ images: 5, bytes: 4 * mebibyte }));
    const id = await gateway.createActive(new Uint8Array(2 * mebibyte - 1));
    await gateway.create();
    await gateway.create({}, bob);
    const told = {
      image_count_total: { usage: 2, limit: 5 },
      image_size_total: { usage: 1, limit: 4 },
      image_stage_total: unlimited(0),
      image_count_uploading: unlimited(0),
    };
    assert.deepEqual(await usage(gateway), told);
    const empty = await gateway.create(rawFormat);
    assert.equal((await gateway.upload(empty, new Uint8Array(1))).status, 204);
    assert.equal((await usage(gateway)).image_size_total?.usage, 2);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    assert.equal((await usage(gateway)).image_size_total?.usage, 0);
  });
});

test('while the limits cannot be looked up the answer is 503, and nothing is made', async (t) => {
  const away = {
    limitsOf: async () => {
      throw new LimitsUnavailable(new Error('away'));
    },
  };
  const gateway = await startGateway(t, {
    change: (ports) => ({ ...ports, quota: memoryQuota(ports.log, away) }),
  });
  assert.equal((await gateway.send('POST', '/v2/images', {})).status, 503);
  assert.equal((await gateway.ask('/v2/info/usage')).status, 503);
  assert.deepEqual(await gateway.ports.log.readAll(0n, 100), []);
  assert.equal((await gateway.ask('/v2/images')).status, 200);
});
