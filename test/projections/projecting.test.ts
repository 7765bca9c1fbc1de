import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { schemaOf } from '../../infra/read-model/generation.ts';
import { Fenced, generationWriter } from '../../infra/read-model/writer.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { history, random } from './history.ts';
import {
  caughtUp,
  live,
  logOf,
  migrations,
  rebuildFrom,
  rowsOf,
  startProjector,
} from './read-model.ts';

const seed = seedOfThisRun();
const mostEvents = 100_000;

async function randomEvents(count: number): Promise<readonly RecordedEvent[]> {
  const log = memoryEventLog({ upcast: (event) => event });
  await history(log, seed, 40).goOn(count);
  return log.readAll(0n, mostEvents);
}

/** The live generation's rows after a rebuild from these events. */
async function rebuiltRows(pool: Pool, events: readonly RecordedEvent[]) {
  await rebuildFrom(pool, logOf(events));
  return rowsOf(pool, (await live(pool)).number);
}

test(`a rebuilt read model equals the live one row for row (seed ${seed})`, async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  const life = history(log, seed, 60);
  const projector = startProjector(pool, log);
  await projector.ready;
  const first = await live(pool);
  for (let round = 0; round < 30; round += 1) {
    await life.goOn(40);
    if (round % 3 === 0) await caughtUp(pool, log);
  }
  await caughtUp(pool, log);
  const rows = await rowsOf(pool, first.number);
  assert.ok(rows.length > 20, 'the history left something to compare');
  assert.ok(
    rows.some((row) => row.startsWith('work ')),
    'among it unfinished work',
  );
  await rebuildFrom(pool, log);
  const second = await live(pool);
  assert.notEqual(second.number, first.number);
  assert.deepEqual(await rowsOf(pool, second.number), rows);
  await projector.stop();
});

test(`batches of any size, forgetting between them, give the same rows (seed ${seed})`, async () => {
  const { pool } = await testDatabase(migrations);
  const events = await randomEvents(600);
  await rebuildFrom(pool, logOf([]));
  const { number } = await live(pool);
  const next = random(seed);
  let writer = generationWriter(imagesProjection, await live(pool), 3);
  for (let start = 0; start < events.length; ) {
    const end = start + 1 + Math.floor(next() * 40);
    await writer.apply(pool, events.slice(start, end));
    // A projector that dies here begins again from what is stored.
    if (next() < 0.5) writer = generationWriter(imagesProjection, await live(pool), 3);
    start = end;
  }
  const rows = await rowsOf(pool, number);
  assert.deepEqual(await rebuiltRows(pool, events), rows);
});

test('events that come again change nothing', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await randomEvents(200);
  await rebuildFrom(pool, logOf(events));
  const before = await live(pool);
  const rows = await rowsOf(pool, before.number);
  const writer = generationWriter(imagesProjection, before, 10);
  await writer.apply(pool, events);
  await writer.apply(pool, events.slice(50, 90));
  assert.deepEqual(await live(pool), before);
  assert.deepEqual(await rowsOf(pool, before.number), rows);
});

test('of two projectors at one place only one goes on', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await randomEvents(50);
  await rebuildFrom(pool, logOf([]));
  const generation = await live(pool);
  const results = await Promise.allSettled(
    [0, 1, 2].map(() => generationWriter(imagesProjection, generation, 10).apply(pool, events)),
  );
  const rejected = results.filter((result) => result.status === 'rejected');
  assert.equal(rejected.length, 2);
  for (const { reason } of rejected) assert.ok(reason instanceof Fenced, String(reason));
});

test(`projectors that race apply each event once (seed ${seed})`, async () => {
  const { pool } = await testDatabase(migrations);
  const events = await randomEvents(600);
  const head = events.at(-1)?.position ?? 0n;
  await rebuildFrom(pool, logOf([]));
  const { number } = await live(pool);
  let fenced = 0;
  const race = async (racer: number): Promise<void> => {
    const next = random(seed + racer);
    for (;;) {
      const writer = generationWriter(imagesProjection, await live(pool), 20);
      try {
        while (writer.position < head) {
          const ahead = events.filter(({ position }) => position > writer.position);
          await writer.apply(pool, ahead.slice(0, 1 + Math.floor(next() * 20)));
        }
        return;
      } catch (error) {
        if (!(error instanceof Fenced)) throw error;
        fenced += 1;
      }
    }
  };
  await Promise.all([race(1), race(2), race(3)]);
  assert.ok(fenced > 0, 'they did meet');
  const rows = await rowsOf(pool, number);
  assert.deepEqual(await rebuiltRows(pool, events), rows);
});

test('rows and checkpoint move together or not at all', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await randomEvents(30);
  await rebuildFrom(pool, logOf([]));
  const generation = await live(pool);
  const writer = generationWriter(imagesProjection, generation, 10);
  const schema = schemaOf('images', generation.number);
  await pool.query(`alter table ${schema}.image add constraint refuse check (name is null)`);
  await assert.rejects(writer.apply(pool, events), /refuse/);
  assert.equal((await live(pool)).position, 0n);
  assert.deepEqual(await rowsOf(pool, generation.number), []);
});
