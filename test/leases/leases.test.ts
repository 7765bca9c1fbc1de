import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { type DeathWatch, deathWatch } from '../../infra/leases/death-watch.ts';
import {
  certifyDeath,
  deadBeat,
  metricsOfParts,
  startHeartbeat,
} from '../../infra/leases/heartbeat.ts';
import { judge } from '../../infra/leases/judge.ts';
import { lease } from '../../infra/leases/lease.ts';
import { ensureLeases, leaseMigrations } from '../../infra/leases/migrations.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { testDatabase } from '../support/postgres.ts';

const log = logger('test', 'silent');
const leaseMs = 200;
const closing: (() => Promise<unknown>)[] = [];
let pool: Pool;

beforeEach(async () => {
  ({ pool } = await testDatabase(leaseMigrations));
});

after(async () => {
  for (const close of closing.reverse()) await close();
});

const worker = (owner: string, beat: number) => ({ owner, part: 'worker', beat: BigInt(beat) });

/** A watch that is told who is dead. */
const told = (...dead: readonly string[]): DeathWatch => ({
  isDead: (owner) => dead.includes(owner),
  living: () => [],
  stop: async () => {},
});

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(5))
    if (await condition()) return;
  assert.fail(`never happened: ${what}`);
}

describe('the judge of heartbeats', () => {
  test('takes an owner for dead whose heartbeat stood still for a lease', () => {
    const judging = judge(leaseMs, 0);
    for (let now = 0; now <= leaseMs; now += 50) {
      judging.take([worker('worker-1', 7)], now);
      assert.equal(judging.isDead('worker-1', now), false);
      assert.deepEqual(judging.living('worker', now), ['worker-1']);
    }
    judging.take([worker('worker-1', 7)], leaseMs + 50);
    assert.equal(judging.isDead('worker-1', leaseMs + 50), true);
    assert.deepEqual(judging.living('worker', leaseMs + 50), []);
  });

  test('takes an owner for alive whose heartbeat moves', () => {
    const judging = judge(leaseMs, 0);
    for (let now = 0; now < 10 * leaseMs; now += 50) {
      judging.take([worker('worker-1', now)], now);
      assert.equal(judging.isDead('worker-1', now), false);
    }
  });

  test('waits a whole lease for an owner that it never saw', () => {
    const judging = judge(leaseMs, 0);
    for (let now = 0; now <= leaseMs; now += 50) {
      judging.take([], now);
      assert.equal(judging.isDead('gateway-lost', now), false);
    }
    judging.take([], leaseMs + 50);
    assert.equal(judging.isDead('gateway-lost', leaseMs + 50), true);
  });

  test('takes nobody for dead after a time without readings', () => {
    const judging = judge(leaseMs, 0);
    judging.take([worker('worker-1', 7)], 0);
    assert.equal(judging.isDead('worker-1', 100 * leaseMs), false, 'nothing was read meanwhile');
    judging.take([worker('worker-1', 7)], 100 * leaseMs);
    assert.equal(judging.isDead('worker-1', 100 * leaseMs + 50), false, 'the watch began anew');
  });

  test('takes an owner for dead at once whose end was certified', () => {
    const judging = judge(leaseMs, 0);
    judging.take([worker('worker-1', 7)], 0);
    judging.take([{ owner: 'worker-1', part: '', beat: deadBeat }], 10);
    assert.equal(judging.isDead('worker-1', 10), true);
    assert.deepEqual(judging.living('worker', 10), []);
  });

  test('starts again when a reading failed', () => {
    const judging = judge(leaseMs, 0);
    for (let now = 0; now <= leaseMs; now += 50) judging.take([worker('worker-1', 7)], now);
    judging.failed(leaseMs + 10);
    judging.take([worker('worker-1', 7)], leaseMs + 50);
    assert.equal(judging.isDead('worker-1', leaseMs + 50), false);
  });
});

test('a death watch sees a heartbeat come and end', async () => {
  const watch = deathWatch(pool, { leaseMs, log });
  closing.push(() => watch.stop());
  const heartbeat = startHeartbeat(pool, {
    owner: 'worker-1',
    part: 'worker',
    intervalMs: 20,
    log,
  });
  await until('it lives', () => watch.living('worker').includes('worker-1'));
  await heartbeat.stop();
  await until('it is dead', () => watch.isDead('worker-1'));
});

test('a death watch believes a certificate', async () => {
  await certifyDeath(pool, 'worker-1');
  const watch = deathWatch(pool, { leaseMs: 600_000, log });
  closing.push(() => watch.stop());
  await until('it is dead', () => watch.isDead('worker-1'));
});

test('a heartbeat is written at once, moves, carries metrics, and is gone after a clean stop', async () => {
  const heartbeat = startHeartbeat(pool, {
    owner: 'worker-1',
    part: 'worker',
    intervalMs: 10,
    log,
    metrics: async () => [{ name: 'made_up' }],
  });
  const beat = async (): Promise<number> => {
    const { rows } = await pool.query("select beat from heartbeats where owner = 'worker-1'");
    return Number(rows[0]?.beat ?? 0);
  };
  await until('the beat moves', async () => (await beat()) > 3);
  assert.deepEqual(await metricsOfParts(pool, ['worker'], 60_000), [[{ name: 'made_up' }]]);
  assert.deepEqual(await metricsOfParts(pool, ['gateway'], 60_000), []);
  await heartbeat.stop();
  assert.equal(await beat(), 0);
});

test('dropped tables are made again, and everybody lives on', async () => {
  const watch = deathWatch(pool, { leaseMs, log });
  closing.push(() => watch.stop());
  const heartbeat = startHeartbeat(pool, {
    owner: 'worker-1',
    part: 'worker',
    intervalMs: 20,
    log,
  });
  closing.push(() => heartbeat.stop());
  const held = lease(pool, { name: 'dispatcher', owner: 'worker-1', watch });
  assert.equal(await held.tryHold(), true);
  await until('it lives', () => watch.living('worker').includes('worker-1'));

  await pool.query('drop table heartbeats, leases');
  assert.equal(await held.tryHold(), true);
  const beat = async (): Promise<boolean> =>
    (await pool.query("select from heartbeats where owner = 'worker-1'")).rowCount === 1;
  await until('it beats again', () => beat().catch(() => false));
  await until('it is seen to live', () => watch.living('worker').includes('worker-1'));
  await pool.query('drop table heartbeats');
  await certifyDeath(pool, 'worker-2');
  await until('the other is dead', () => watch.isDead('worker-2'));
});

test('many that find the tables dropped make them together', async () => {
  await pool.query('drop table heartbeats, leases');
  await Promise.all(Array.from({ length: 10 }, () => ensureLeases(pool)));
  assert.deepEqual(await metricsOfParts(pool, ['worker'], 1), []);
});

test('a beat that takes for ever holds no others up behind it', async () => {
  const client = await pool.connect();
  await client.query('begin');
  await client.query('lock table heartbeats');
  let asked = 0;
  const heartbeat = startHeartbeat(pool, {
    owner: 'worker-1',
    part: 'worker',
    intervalMs: 1,
    log,
    metrics: async () => {
      asked += 1;
      return [];
    },
  });
  await delay(50);
  assert.equal(asked, 1);
  await client.query('commit');
  client.release();
  await until('it beats on', () => asked > 1);
  await heartbeat.stop();
});

describe('a lease', () => {
  test('has one holder, and the next one when that gives it up', async () => {
    const first = lease(pool, { name: 'dispatcher', owner: 'worker-1', watch: told() });
    const second = lease(pool, { name: 'dispatcher', owner: 'worker-2', watch: told() });
    assert.equal(await first.tryHold(), true);
    assert.equal(await first.tryHold(), true);
    assert.equal(await second.tryHold(), false);
    await first.release();
    assert.equal(await second.tryHold(), true);
    assert.equal(await first.tryHold(), false);
  });

  test('is taken over from a dead holder, by one of many that try', async () => {
    const name = 'dispatcher';
    await lease(pool, { name, owner: 'worker-dead', watch: told() }).tryHold();
    const from: string[] = [];
    const rivals = (watch: DeathWatch) =>
      Array.from({ length: 8 }, (_, index) =>
        lease(pool, {
          name,
          owner: `worker-${index}`,
          watch,
          onTakeOver: (holder) => from.push(holder),
        }).tryHold(),
      );
    assert.ok((await Promise.all(rivals(told()))).every((held) => !held));
    const held = await Promise.all(rivals(told('worker-dead')));
    assert.equal(held.filter((one) => one).length, 1);
    assert.deepEqual(from, ['worker-dead']);
  });
});

test('leases that are asked for in one moment are read with one question, each with its own answer', async () => {
  const names = ['one', 'two', 'three'];
  const of = (from: Pool, name: string, owner: string) =>
    lease(from, { name, owner, watch: told() });
  for (const name of names) assert.equal(await of(pool, name, name).tryHold(), true);
  let questions = 0;
  const counting = new Proxy(pool, {
    get(target, key) {
      if (key === 'query') questions += 1;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const held = await Promise.all(names.map((name) => of(counting, name, 'two').tryHold()));
  assert.deepEqual(held, [false, true, false]);
  assert.equal(questions, 1);
});
