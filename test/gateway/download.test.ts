import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { ObjectMissing, StoreUnavailable } from '../../domain/store.ts';
import { type NamedStore, type Stores, storesFrom } from '../../infra/store/stores.ts';
import { admin, bob, reader, startGateway } from '../support/gateway.ts';
import { hex } from '../support/gateway-worker.ts';
import { ask, rawConnection } from '../support/http.ts';
import { until } from '../support/until.ts';

const mebibyte = 1024 * 1024;
const bytes = randomBytes(3 * mebibyte + 17);

/** The same stores, read in another way. */
const withReader = ({ all, defaultId }: Stores, reader: NamedStore['reader']): Stores =>
  storesFrom(
    all.map((store) => ({ ...store, reader })),
    defaultId,
  );

describe('GET /v2/images/{id}/file', () => {
  test('gives the whole data with its length and hex md5', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(bytes);
    const got = await gateway.ask(`/v2/images/${id}/file`);
    assert.equal(got.status, 200);
    assert.equal(got.headers['content-type'], 'application/octet-stream');
    assert.equal(got.headers['content-length'], String(bytes.length));
    assert.equal(got.headers['content-md5'], hex('md5', bytes));
    assert.equal(got.headers['content-range'], undefined);
    assert.ok(got.bytes.equals(bytes));
  });

  const small = Buffer.from('0123456789');
  const parts: readonly (readonly [string, string, number, number])[] = [
    ['Range', 'bytes=2-5', 2, 6],
    ['Range', 'bytes=0-0', 0, 1],
    ['Range', 'bytes=7-', 7, 10],
    ['Range', 'bytes=-3', 7, 10],
    ['Range', 'bytes=-10', 0, 10],
    ['Range', 'bytes=-999', 0, 10],
    ['Range', 'bytes=-0', 0, 10],
    ['Range', 'bytes=5-999', 5, 10],
    ['Content-Range', 'bytes 2-5/*', 2, 6],
    ['Content-Range', 'bytes 2-5/10', 2, 6],
  ];
  for (const [header, value, start, end] of parts)
    test(`gives the part that ${header}: ${value} names`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.createActive(small);
      const got = await gateway.ask(`/v2/images/${id}/file`, { headers: { [header]: value } });
      assert.equal(got.status, 206);
      assert.equal(got.text, small.subarray(start, end).toString());
      assert.equal(got.headers['content-range'], `bytes ${start}-${end - 1}/10`);
      assert.equal(got.headers['content-length'], String(end - start));
      assert.equal(got.headers['content-md5'], hex('md5', small));
    });

  const bad: readonly (readonly [number, Record<string, string>])[] = [
    [400, { Range: 'bytes=0-1,3-4' }],
    [416, { Range: 'bytes=10-' }],
    [416, { Range: 'bytes=5-4' }],
    [416, { Range: 'bytes=-' }],
    [416, { Range: 'bytes=a-b' }],
    [416, { Range: 'chapters=1-2' }],
    [416, { 'Content-Range': 'bytes */10' }],
  ];
  for (const [status, headers] of bad)
    test(`answers ${status} to ${JSON.stringify(headers)}`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.createActive(small);
      const got = await gateway.ask(`/v2/images/${id}/file`, { headers });
      assert.equal(got.status, status);
      assert.equal(got.headers['content-md5'], undefined);
    });

  for (const headers of [{ Range: 'bytes=0-3' }, { 'Content-Range': 'bytes 0-3/*' }])
    test(`answers 416 to ${Object.keys(headers)} while there are no data`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.create();
      assert.equal((await gateway.ask(`/v2/images/${id}/file`, { headers })).status, 416);
    });

  test('Range wins over Content-Range', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(small);
    const headers = { Range: 'bytes=1-1', 'Content-Range': 'bytes 2-5/*' };
    assert.equal((await gateway.ask(`/v2/images/${id}/file`, { headers })).text, '1');
  });

  test('gives a part across several buffers', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(bytes);
    const headers = { Range: `bytes=5-${2 * mebibyte + 5}` };
    const got = await gateway.ask(`/v2/images/${id}/file`, { headers });
    assert.ok(got.bytes.equals(bytes.subarray(5, 2 * mebibyte + 6)));
  });

  test('answers 204 while there is no data, 200 for data of no bytes, 416 for a part of it', async (t) => {
    const gateway = await startGateway(t);
    const queued = await gateway.ask(`/v2/images/${await gateway.create()}/file`);
    assert.deepEqual([queued.status, queued.text], [204, '']);
    const path = `/v2/images/${await gateway.createActive(Buffer.alloc(0))}/file`;
    const empty = await gateway.ask(path);
    assert.deepEqual([empty.status, empty.headers['content-length']], [200, '0']);
    const part = await gateway.ask(path, { headers: { Range: 'bytes=0-' } });
    assert.equal(part.status, 416);
  });

  test('refuses readers 403 and strangers 404', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.createActive(small)}/file`;
    assert.equal((await gateway.ask(path, { token: reader })).status, 403);
    assert.equal((await gateway.ask(path, { token: bob })).status, 404);
  });

  test('refuses a deactivated image with 403, but not to administrators; reactivated it is back', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.createActive(small)}`;
    for (const _ of [1, 2]) {
      const answer = await gateway.ask(`${path}/actions/deactivate`, { method: 'POST' });
      assert.equal(answer.status, 204);
    }
    assert.equal((await gateway.ask(path)).json().status, 'deactivated');
    assert.equal((await gateway.ask(`${path}/file`)).status, 403);
    assert.equal((await gateway.ask(`${path}/file`, { token: admin })).status, 200);
    await gateway.ask(`${path}/actions/reactivate`, { method: 'POST' });
    assert.equal((await gateway.ask(`${path}/file`)).status, 200);
  });

  test('answers 400 to ?prefer=, since there is one store', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.createActive(small)}/file?prefer=file`;
    assert.equal((await gateway.ask(path)).status, 400);
  });

  test('answers 204 when the stored bytes have vanished, 503 when the store cannot be reached', async (t) => {
    let failure: Error = new ObjectMissing('x');
    const gateway = await startGateway(t, {
      change: (ports) => {
        const reader = { open: async () => Promise.reject(failure) };
        return { ...ports, stores: withReader(ports.stores, reader) };
      },
    });
    // The worker keeps its own way to the store.
    const path = `/v2/images/${await gateway.createActive(small)}/file`;
    assert.equal((await gateway.ask(path)).status, 204);
    failure = new StoreUnavailable('the store is away', undefined);
    assert.equal((await gateway.ask(path)).status, 503);
  });

  test('answers 404 when the bytes are gone because the image is', async (t) => {
    let deleteImage = async (): Promise<unknown> => undefined;
    const gateway = await startGateway(t, {
      change: (ports) => {
        const reader = {
          open: async (key: string) => {
            await deleteImage();
            throw new ObjectMissing(key);
          },
        };
        return { ...ports, stores: withReader(ports.stores, reader) };
      },
    });
    const id = await gateway.createActive(small);
    deleteImage = () => gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    assert.equal((await gateway.ask(`/v2/images/${id}/file`)).status, 404);
  });

  test('closes the stored object when the client hangs up, and cuts off what ends early', async (t) => {
    let open = 0;
    let truncated = false;
    const gateway = await startGateway(t, {
      change: (ports) => {
        const [real] = ports.stores.all;
        if (real === undefined) throw new Error('there is no store');
        const reader = {
          async open(key: string) {
            const object = await real.reader.open(key);
            open += 1;
            return {
              size: object.size,
              read: async (into: Uint8Array, offset: number) =>
                truncated && offset > 0 ? 0 : object.read(into, offset),
              async close() {
                open -= 1;
                await object.close();
              },
            };
          },
        };
        return { ...ports, stores: withReader(ports.stores, reader) };
      },
    });
    const id = await gateway.createActive(Buffer.alloc(32 * mebibyte));
    const { socket } = await rawConnection(gateway.url);
    socket.pause();
    socket.write(`GET /v2/images/${id}/file HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until('the download to begin', () => open === 1);
    socket.destroy();
    await until('the object to be closed', () => open === 0);
    truncated = true;
    await assert.rejects(ask(gateway.url, `/v2/images/${id}/file`), /aborted|socket hang up/);
    await until('the object to be closed', () => open === 0);
  });
});
