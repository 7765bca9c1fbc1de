import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import {
  admin,
  bob,
  octets,
  rawFormat,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { pipeline } from '../support/gateway-worker.ts';

const bytes = Buffer.from('bytes that are kept');
const hourMs = 3_600_000;

const start = (t: TestContext) =>
  startGateway(t, {
    change: (ports) => ({ ...ports, keepDeletedMs: hourMs, importMethods: ['glance-direct'] }),
  });

const remove = async (gateway: TestGateway, id: string): Promise<void> =>
  assert.equal((await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' })).status, 204);

/** Every call about one image. */
const calls: readonly (readonly [string, string, unknown?])[] = [
  ['GET', ''],
  ['DELETE', ''],
  ['GET', '/file'],
  ['PUT', '/file', 'bytes'],
  ['PUT', '/stage', 'bytes'],
  ['POST', '/import', { method: { name: 'glance-direct' } }],
  ['GET', '/tasks'],
  ['GET', '/members'],
  ['GET', '/members/blue'],
  ['POST', '/members', { member: 'blue' }],
  ['PUT', '/members/blue', { status: 'accepted' }],
  ['DELETE', '/members/blue'],
  ['PUT', '/tags/t'],
  ['DELETE', '/tags/t'],
  ['POST', '/actions/deactivate'],
  ['POST', '/actions/reactivate'],
];

describe('where deletion is delayed', () => {
  test('a deleted image is 404 to everybody on every route, and in no listing', async (t) => {
    const gateway = await start(t);
    const id = await gateway.createActive(bytes, { visibility: 'community', tags: ['t'] });
    await remove(gateway, id);
    for (const token of [undefined, admin, bob])
      for (const [method, path, body] of calls) {
        const { status } = await gateway.ask(`/v2/images/${id}${path}`, {
          method,
          ...(token === undefined ? {} : { token }),
          ...(body === undefined
            ? {}
            : body === 'bytes'
              ? { headers: octets, body: bytes }
              : { body: JSON.stringify(body) }),
        });
        assert.equal(status, 404, `${method} ${path} by ${token}`);
      }
    const patched = await gateway.patch(`/v2/images/${id}`, [
      { op: 'add', path: '/name', value: 'x' },
    ]);
    assert.equal(patched.status, 404);
    for (const query of ['', '?status=pending_delete', '?visibility=all', `?id=in:${id}`])
      for (const token of [undefined, admin]) {
        const listed = await gateway.ask(
          `/v2/images${query}`,
          token === undefined ? {} : { token },
        );
        assert.deepEqual([listed.status, listed.json().images], [200, []], query);
      }
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const last = events.at(-1);
    assert.equal(last?.type, 'ImageDeletionScheduled');
    const waits = Date.parse(String(last?.data.dueAt)) - Date.now();
    assert.ok(waits > hourMs - 60_000 && waits <= hourMs, `${waits} ms`);
  });

  test('its id cannot be used again, neither while it is kept nor after', async (t) => {
    const gateway = await start(t);
    const id = await gateway.createActive(bytes);
    await remove(gateway, id);
    assert.equal((await gateway.send('POST', '/v2/images', { id })).status, 409);
    const tell = pipeline(gateway.ports.log);
    await tell(id, { type: 'ScrubImage', at: new Date(Date.now() + hourMs).toISOString() });
    await tell(id, { type: 'RecordDataRemoved' });
    assert.equal((await gateway.send('POST', '/v2/images', { id })).status, 409);
  });

  test('what has no bytes is deleted at once', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    await remove(gateway, id);
    assert.deepEqual(await gateway.events(id), ['ImageCreated', 'ImageDeleted']);
  });

  test('a restored image is as it was, for everybody', async (t) => {
    const gateway = await start(t);
    const id = await gateway.createActive(bytes, { name: 'kept', visibility: 'shared' });
    await gateway.send('POST', `/v2/images/${id}/members`, { member: 'blue' });
    await gateway.ask(`/v2/images/${id}/actions/deactivate`, { method: 'POST', token: admin });
    const before = (await gateway.ask(`/v2/images/${id}`)).json();
    await remove(gateway, id);
    await pipeline(gateway.ports.log)(id, { type: 'RestoreImage' });
    const { updated_at: _, ...after } = (await gateway.ask(`/v2/images/${id}`)).json();
    const { updated_at: __, ...wanted } = before;
    assert.deepEqual(after, wanted);
    assert.equal((await gateway.ask(`/v2/images/${id}`, { token: bob })).status, 200);
    const file = await gateway.ask(`/v2/images/${id}/file`, { token: admin });
    assert.ok(file.bytes.equals(bytes));
  });
});
