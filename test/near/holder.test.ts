import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { certifyHolderDeath, type NearHolder, nearHolder } from '../../infra/near/holder.ts';
import { nearMigrations } from '../../infra/near/migrations.ts';
import { others } from '../../infra/near/others.ts';
import { readModelMigrations } from '../../infra/read-model/migrations.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { NotYetVisible } from '../../projections/images/images.ts';
import { testDatabase } from '../support/postgres.ts';

const log = logger('test', 'silent');
const times = { beatMs: 30, trustMs: 3_000, lookMs: 1_500, settleMs: 1_600 };
const longMs = 60_000;
const closing: (() => Promise<unknown>)[] = [];
let pool: Pool;
let url: string;

beforeEach(async () => {
  ({ pool, url } = await testDatabase([...readModelMigrations, ...nearMigrations]));
  await pool.query(
    `insert into read_model.generation (model, version, state, position) values ('images', 1, 'live', 10)`,
  );
});

after(async () => {
  for (const close of closing.reverse()) await close();
});

interface Started extends NearHolder {
  readonly swaps: () => number;
}

function start(owner: string, { holds = true, heard = 10n, on = pool } = {}): Started {
  let swaps = 0;
  const holder = nearHolder(on, url, {
    owner,
    model: 'images',
    heard,
    holds,
    onSwap: () => {
      swaps += 1;
    },
    log,
    times,
  });
  closing.push(() => holder.stop());
  return { ...holder, swaps: () => swaps };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + longMs; Date.now() < end; await delay(5))
    if (await condition()) return;
  assert.fail(`never happened: ${what}`);
}

const isPending = async (promise: Promise<unknown>, forMs: number): Promise<boolean> =>
  (await Promise.race([promise.then(() => 'done'), delay(forMs, 'pending')])) === 'pending';

/** Beats, as a process would that stops without a word. */
const beatAlone = (owner: string, beat: number, heard: bigint): Promise<unknown> =>
  pool.query(
    `insert into near_holders (owner, beat, heard) values ($1, $2, $3)
     on conflict (owner) do update set beat = excluded.beat, heard = excluded.heard`,
    [owner, beat, heard],
  );

describe('a process that answers from memory', { concurrency: false }, () => {
  test('begins only when every writer must have seen it', async () => {
    const began = performance.now();
    const holder = start('one');
    await until('current', holder.isCurrent);
    assert.ok(performance.now() - began >= times.settleMs);
  });

  test('does not begin while it has not heard what the read model has', async () => {
    const holder = start('one', { heard: 9n });
    await delay(times.settleMs + 10 * times.beatMs);
    assert.equal(holder.isCurrent(), false);
    holder.heard(10n);
    await until('current', holder.isCurrent);
  });

  test('is waited for by others until it has heard', async () => {
    const [holder, writer] = [start('one'), start('two', { holds: false })];
    await until('current', holder.isCurrent);
    writer.heard(11n);
    const waiting = writer.waitFor(11n, longMs);
    assert.ok(await isPending(waiting, 4 * times.beatMs));
    holder.heard(11n);
    await waiting;
    await assert.rejects(writer.waitFor(12n, 50), NotYetVisible);
  });

  test('waits for itself', async () => {
    const holder = start('one');
    await until('current', holder.isCurrent);
    const waiting = holder.waitFor(11n, longMs);
    assert.ok(await isPending(waiting, 4 * times.beatMs));
    holder.heard(11n);
    await waiting;
  });

  test('is not waited for once it has stood still for longer than it trusts itself', async () => {
    const writer = start('two', { holds: false });
    await writer.waitFor(10n, longMs);
    await beatAlone('one', 1, 10n);
    await delay(4 * times.beatMs);
    writer.heard(11n);
    const began = performance.now();
    await writer.waitFor(11n, longMs);
    assert.ok(performance.now() - began >= times.trustMs + times.lookMs - 8 * times.beatMs);
  });

  test('is not waited for when its parent saw it end, or when it stopped', async () => {
    const writer = start('two', { holds: false });
    await beatAlone('one', 1, 10n);
    const holder = start('three');
    await until('current', holder.isCurrent);
    await certifyHolderDeath(pool, 'one');
    await holder.stop();
    writer.heard(11n);
    const began = performance.now();
    await writer.waitFor(11n, longMs);
    assert.ok(performance.now() - began < times.trustMs / 2);
  });

  test('resigns when it falls behind the read model, so that nobody waits for it', async () => {
    const [holder, writer] = [start('one'), start('two', { holds: false })];
    await until('current', holder.isCurrent);
    await pool.query('update read_model.generation set position = 11');
    await until('resigned', () => !holder.isCurrent());
    writer.heard(11n);
    await writer.waitFor(11n, longMs);
    holder.heard(11n);
    await until('current again', holder.isCurrent);
  });

  test('trusts itself no longer when it cannot beat', async () => {
    let broken = false;
    const failing = new Proxy(pool, {
      get: (target, name) =>
        name === 'query' && broken
          ? () => Promise.reject(new Error('away'))
          : Reflect.get(target, name).bind(target),
    });
    const holder = start('one', { on: failing });
    await until('current', holder.isCurrent);
    broken = true;
    await until('no longer current', () => !holder.isCurrent());
    const mended = performance.now();
    broken = false;
    await until('current again', holder.isCurrent);
    assert.ok(performance.now() - mended >= times.settleMs, 'writers had ceased to wait for it');
  });

  test('lets nobody wait for it while it stays behind the read model', async () => {
    const [holder, writer] = [start('one'), start('two', { holds: false })];
    await until('current', holder.isCurrent);
    await pool.query('update read_model.generation set position = 11');
    writer.heard(11n);
    await until('resigned', async () => {
      const { rows } = await pool.query(
        `select from near_holders where owner = 'one' and beat < 0`,
      );
      return rows.length > 0;
    });
    await writer.waitFor(11n, longMs);
    for (const end = Date.now() + times.trustMs; Date.now() < end; await delay(times.beatMs))
      await Promise.all([writer.waitFor(11n, times.settleMs / 2), holder.waitFor(11n, 100)]);
  });

  test('waits for itself from when it has joined', async () => {
    const holder = start('one');
    await until('joined', async () => {
      const { rows } = await pool.query(
        `select from near_holders where owner = 'one' and beat > 0`,
      );
      return rows.length > 0;
    });
    assert.equal(holder.isCurrent(), false);
    await assert.rejects(holder.waitFor(11n, 100), NotYetVisible);
    holder.heard(11n);
    await holder.waitFor(11n, longMs);
  });

  test('hears of another generation of the read model', async () => {
    const holder = start('one');
    await until('current', holder.isCurrent);
    const before = holder.swaps();
    await pool.query(
      `update read_model.generation set state = 'retired';
       insert into read_model.generation (model, version, state, position) values ('images', 1, 'live', 10)`,
    );
    await until('told', () => holder.swaps() === before + 1);
  });

  test('comes back when its table is dropped', async () => {
    const holder = start('one');
    await until('current', holder.isCurrent);
    await pool.query('drop table near_holders');
    await until('there again', async () => {
      const { rows } = await pool.query(`select to_regclass('near_holders') is not null as there`);
      return rows[0]?.there === true;
    });
    await until('current', holder.isCurrent);
    await holder.waitFor(10n, longMs);
  });
});

test('a look that is too old says nothing of who may have joined since', () => {
  const known = others({ trustMs: 100, lookMs: 50 });
  assert.equal(known.isFresh(0), false);
  known.take([], 0, 40);
  assert.equal(known.isFresh(50), true);
  assert.equal(known.isFresh(51), false);
});

test('one that has stood still is not waited for again, as long as its row may stay', () => {
  const known = others({ trustMs: 100, lookMs: 50 });
  const row = { owner: 'dead', beat: 7n, heard: 1n };
  const isWaitedFor = (now: number): boolean => {
    known.take([row], now, now);
    return !known.allHeard(2n, now);
  };
  assert.deepEqual([0, 150, 151, 200, 10_000].map(isWaitedFor), [true, true, false, false, false]);
  known.take([{ ...row, beat: 8n }], 10_100, 10_100);
  assert.equal(known.allHeard(2n, 10_100), false, 'it was only slow');
});
