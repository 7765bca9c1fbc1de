import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { NotYetVisible } from '../../projections/images/images.ts';
import { testDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { logOf, migrations, quiet, rebuildFrom } from './read-model.ts';
import { plain, recorded } from './recorded.ts';

/** So late that a wait which ends before it was not ended by it. */
const never = 100_000;

async function opened(pollMs = never) {
  const { pool, url } = await testDatabase(migrations);
  await rebuildFrom(pool, logOf([]));
  const seen = visible(pool, url, { log: quiet, models: ['images'], pollMs });
  await seen.waitFor(0n, never);
  return { pool, seen };
}

/** What a projector's write does to the checkpoint. */
const moveTo = (pool: Pool, position: number) =>
  pool.query(`
    with moved as (update read_model.generation set position = ${position} where state = 'live')
    select pg_notify('read_model_checkpoint', 'images ${position}')`);

const moveSilently = (pool: Pool, position: number) =>
  pool.query(`update read_model.generation set position = ${position} where state = 'live'`);

const listeners = async (pool: Pool): Promise<readonly number[]> => {
  const { rows } = await pool.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'daguerre listen' and datname = current_database() and state = 'idle' and query like 'listen%'`,
  );
  return rows.map(({ pid }) => pid);
};

test('who waits goes on once the position is announced, and not before', async () => {
  const { pool, seen } = await opened();
  const arrived: number[] = [];
  const waits = [30, 10, 20, 10].map((position) =>
    seen.waitFor(BigInt(position), never).then(() => arrived.push(position)),
  );
  await moveTo(pool, 10);
  await until('two to go on', () => arrived.length >= 2);
  assert.deepEqual(arrived, [10, 10]);
  await moveTo(pool, 25);
  await until('the third to go on', () => arrived.length >= 3);
  await moveTo(pool, 30);
  await Promise.all(waits);
  assert.deepEqual(arrived, [10, 10, 20, 30]);
  await seen.close();
});

test('who waits too long is told so', async () => {
  const { pool, seen } = await opened();
  await assert.rejects(seen.waitFor(5n, 30), NotYetVisible);
  await moveTo(pool, 5);
  await seen.waitFor(5n, never);
  await seen.close();
});

test('a lost announcement is made up for by looking', async () => {
  const { pool, seen } = await opened(20);
  await until('it to listen', async () => (await listeners(pool)).length === 1);
  await moveSilently(pool, 7);
  await seen.waitFor(7n, never);
  await seen.close();
});

test('thousands wait at once', async () => {
  const { pool, seen } = await opened();
  const waits = Array.from({ length: 20_000 }, (_, index) => seen.waitFor(BigInt(index), never));
  await moveTo(pool, 20_000);
  await Promise.all(waits);
  await seen.close();
});

test('what was known is forgotten with the connection, since Postgres may come back older', async () => {
  const { pool, seen } = await opened(50);
  await moveTo(pool, 10);
  await seen.waitFor(10n, never);
  const [pid] = await listeners(pool);
  await moveSilently(pool, 5);
  await pool.query('select pg_terminate_backend($1)', [pid]);
  await until('it to listen again', async () => {
    const [again] = await listeners(pool);
    return again !== undefined && again !== pid;
  });
  await seen.waitFor(5n, never);
  await assert.rejects(seen.waitFor(8n, 200), NotYetVisible);
  await moveTo(pool, 8);
  await seen.waitFor(8n, never);
  await seen.close();
});

test('a swap is seen as the checkpoint that it brings', async () => {
  const { pool, seen } = await opened();
  const waiting = seen.waitFor(1n, never);
  await until('it to listen', async () => (await listeners(pool)).length === 1);
  const event = {
    id: '3f1e6a52-7a0e-4f0b-9a39-0a51d1c2f7e4',
    type: 'Elsewhere',
    schemaVersion: 1,
    data: {},
    metadata: {
      actor: { kind: 'system', part: 'test' },
      requestId: 'r',
      causationId: 'c',
      correlationId: 'c',
    },
    streamId: 'metadef-x',
    revision: 0,
    position: 1n,
    recordedAt: new Date(),
  } as const;
  await rebuildFrom(pool, logOf([event]));
  await waiting;
  await seen.close();
});

test('a checkpoint that only has to pass what does not concern its read model need not be waited for', async () => {
  const { pool, url } = await testDatabase(migrations);
  await rebuildFrom(pool, logOf([]));
  const concerns = { images: ({ streamId }: RecordedEvent) => streamId.startsWith('image-') };
  const seen = visible(pool, url, { log: quiet, models: ['images'], pollMs: never, concerns });
  const isShown = (position: bigint): Promise<boolean> =>
    seen.waitFor(position, 50).then(
      () => true,
      () => false,
    );
  await seen.waitFor(0n, never);
  const [event] = recorded('1', [{ type: 'ImageCreated', data: plain }]);
  assert.ok(event);
  const hear = (position: number, streamId: string) =>
    seen.heard({ ...event, streamId, position: BigInt(position) });
  hear(5, 'elsewhere-1');
  assert.equal(await isShown(5n), false, 'nobody knows what came before the first');
  await moveTo(pool, 5);
  await seen.waitFor(5n, never);
  hear(6, 'elsewhere-1');
  assert.equal(await isShown(6n), true);
  hear(7, 'image-1');
  hear(8, 'elsewhere-1');
  assert.equal(await isShown(7n), false);
  assert.equal(await isShown(8n), false, 'an image may be shown that is older than the other');
  await moveTo(pool, 7);
  await seen.waitFor(8n, never);
  assert.equal(seen.reached(), 8n);
  assert.equal(await isShown(9n), false, 'it is not heard of');
  await seen.close();
});
