import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startingAt } from '../../domain/webhook/progress.ts';
import { memoryProgress } from '../../infra/webhooks/memory.ts';
import { webhookProgressMigrations } from '../../infra/webhooks/migrations.ts';
import {
  type Attempt,
  type Kept,
  type ProgressStore,
  postgresProgress,
} from '../../infra/webhooks/progress-store.ts';
import { uuid } from '../projections/recorded.ts';
import { testDatabase } from '../support/postgres.ts';

const begin: Kept = { moves: 0, revivals: 0, saved: startingAt(5n), unacknowledged: 0 };
const later: Kept = {
  moves: 1,
  revivals: 2,
  unacknowledged: 3,
  saved: {
    cursor: 9_007_199_254_740_993n,
    ahead: [9_007_199_254_740_995n, 9_223_372_036_854_775_806n],
    failing: [{ position: 9_007_199_254_740_994n, attempts: 2, since: 1_000, dueAt: 2_000 }],
    refusals: 4,
  },
};
const attempt = (number: number, status: number | null): Attempt => ({
  eventId: uuid(`event ${number % 2}`),
  position: BigInt(number),
  type: 'ImageCreated',
  at: new Date(Date.now() - 1_000 + number),
  attempt: 1,
  tookMs: 7,
  status,
  error: status === null ? 'the connection failed: ECONNREFUSED' : null,
  manual: false,
});

const withoutNumbers = async (
  store: ProgressStore,
  query: Parameters<ProgressStore['attempts']>[1],
) => (await store.attempts('w', query)).map(({ number, ...rest }) => rest);

const stores: Readonly<Record<string, () => Promise<ProgressStore>>> = {
  memory: async () => memoryProgress(),
  Postgres: async () => postgresProgress((await testDatabase(webhookProgressMigrations)).pool),
};

for (const [name, open] of Object.entries(stores))
  describe(`what is kept about webhooks in ${name}`, () => {
    test('is given back to who claims it next, whatever it would begin with', async () => {
      const store = await open();
      assert.deepEqual(await store.claim('w', 'one', begin), begin);
      assert.equal(await store.save('w', 'one', later, []), true);
      assert.deepEqual(await store.claim('w', 'two', begin), later);
      assert.deepEqual(await store.claim('other', 'two', begin), begin);
    });

    test('is not changed by who claimed it before another', async () => {
      const store = await open();
      await store.claim('w', 'one', begin);
      await store.claim('w', 'two', begin);
      assert.equal(await store.save('w', 'one', later, [attempt(1, 204)]), false);
      assert.deepEqual(await store.claim('w', 'three', later), begin);
      assert.deepEqual(await store.attempts('w', { limit: 10 }), []);
    });

    test('is written again where the row is gone', async () => {
      const store = await open();
      await store.claim('w', 'one', begin);
      await store.prune([]);
      assert.equal(await store.save('w', 'one', later, []), true);
      assert.deepEqual(await store.claim('w', 'two', begin), later);
    });

    test('has every attempt, the newest first, in pages and by what became of it', async () => {
      const store = await open();
      await store.claim('w', 'one', begin);
      const last = attempt(3, null);
      const all = [attempt(1, 204), attempt(2, 500), last];
      await store.save('w', 'one', later, all.slice(0, 2));
      await store.record('w', last);
      await store.record('other', attempt(4, 200));
      const newest = [...all].reverse();
      assert.deepEqual(await withoutNumbers(store, { limit: 10 }), newest);
      assert.deepEqual(await withoutNumbers(store, { limit: 10, delivered: true }), [all[0]]);
      assert.deepEqual(
        await withoutNumbers(store, { limit: 10, delivered: false }),
        newest.slice(0, 2),
      );
      const eventId = uuid('event 1');
      assert.deepEqual(await withoutNumbers(store, { limit: 10, eventId }), [all[2], all[0]]);
      const [first] = await store.attempts('w', { limit: 1 });
      assert.deepEqual(
        await withoutNumbers(store, { limit: 10, below: first?.number }),
        newest.slice(1),
      );
    });

    test('says how far each is', async () => {
      const store = await open();
      await store.claim('w', 'one', begin);
      await store.save('w', 'one', later, [attempt(1, 204), attempt(2, 500)]);
      const [standing, ...none] = await store.standings();
      assert.deepEqual(none, []);
      const { cursor } = later.saved;
      const deliveredAt = (await store.attempts('w', { limit: 1, delivered: true }))[0]?.at;
      assert.deepEqual(standing, { webhookId: 'w', cursor, failing: 1, deliveredAt });
    });
  });

describe('the tables of webhooks in Postgres', () => {
  test('are made again where somebody has dropped them', async () => {
    const { pool } = await testDatabase(webhookProgressMigrations);
    const store = postgresProgress(pool);
    await store.claim('w', 'one', begin);
    await pool.query('drop table webhook_progress, webhook_deliveries');
    assert.equal(await store.save('w', 'one', later, [attempt(1, 204)]), true);
    assert.deepEqual(await store.claim('w', 'two', begin), later);
    await pool.query('drop table webhook_progress, webhook_deliveries');
    const several = Array.from({ length: 8 }, () => store.attempts('w', { limit: 1 }));
    for (const found of await Promise.all(several)) assert.deepEqual(found, []);
  });

  test('keep no more attempts than they may', async () => {
    const { pool } = await testDatabase(webhookProgressMigrations);
    const store = postgresProgress(pool, { days: 1, attempts: 3 });
    const old = { ...attempt(1, 204), at: new Date(Date.now() - 2 * 86_400_000) };
    for (const one of [2, 3, 4, 5, 6]) await store.record('w', attempt(one, 204));
    await store.record('v', old);
    await store.record('v', attempt(7, 204));
    await store.prune(['w', 'v']);
    const left = async (webhookId: string) =>
      (await store.attempts(webhookId, { limit: 10 })).map(({ position }) => position);
    assert.deepEqual([await left('w'), await left('v')], [[6n, 5n, 4n], [7n]]);
  });
});
