import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { noted } from '../contracts/noted.ts';

import { sessionsWait, type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import type { Acknowledged } from './writer-child.ts';

const script = fileURLToPath(new URL('./writer-child.js', import.meta.url));
const processes = 4;
const writers = 8;
const appends = 30;
const wantedStreams = 12;

describe('many writers in several processes', () => {
  let database: TestDatabase;
  let log: EventLog;
  before(async () => {
    database = await testDatabase(eventLogMigrations);
    log = postgresEventLog(database.url, { log: silent, upcast: (event) => event });
  });
  after(() => log.close());

  test('leave a log that its readers see whole, in order and without a gap', async () => {
    const following = [log.follow(0n, never), log.follow(0n, never), polling(log)].map(untilMarker);
    const written = await Promise.all(Array.from({ length: processes }, () => write(database.url)));
    const head = await log.append('marker', [noted('')], -1);

    const all = await readAll(log);
    assert.deepEqual(
      all.map(({ position }) => position),
      Array.from({ length: Number(head) }, (_, index) => BigInt(index + 1)),
    );
    const ids = all.map(({ id }) => id);
    for (const seen of await Promise.all(following)) assert.deepEqual(seen, ids);

    const acknowledged = written.flatMap((each) => each.acknowledged);
    assert.equal(acknowledged.length, processes * writers * appends);
    const positions = new Map(all.map(({ id, position }) => [id, `${position}`]));
    assert.deepEqual(
      acknowledged.filter(([id, position]) => positions.get(id) !== position),
      [],
    );
    assert.equal(new Set(ids).size, ids.length);

    const revisions = new Map<string, number>();
    for (const { streamId, revision } of all) {
      assert.equal(revision, (revisions.get(streamId) ?? -1) + 1, streamId);
      revisions.set(streamId, revision);
    }
    assert.equal(revisions.size, processes * writers + wantedStreams + 1);
    assert.ok(written.some(({ conflicts }) => conflicts > 0));
    const { rows } = await database.pool.query(
      'select deadlocks from pg_stat_database where datname = current_database()',
    );
    assert.deepEqual(rows, [{ deadlocks: 0n }]);
  });

  test('nothing is visible above an append that has not committed', async () => {
    const before = await log.head();
    const slow = await database.pool.connect();
    try {
      await slow.query('begin');
      await slow.query(
        `select append_events('{slow}', '{-1}', '{1}', '{1}', '{0}',
          array[gen_random_uuid()], '{Noted}', '{1}', '{"{}"}', '{"{}"}')`,
      );
      const fast = log.append('fast', [noted('fast')], -1);
      const passed = fast.then(() => assert.fail('it did not wait for the slow one'));
      await Promise.race([sessionsWait(database), passed]);
      assert.equal(await log.head(), before);
      assert.deepEqual(await log.readAll(before, 10), []);
      await slow.query('commit');
      passed.catch(() => undefined);
      assert.equal(await fast, before + 2n);
    } finally {
      slow.release();
    }
    assert.deepEqual(
      (await log.readAll(before, 10)).map(({ streamId }) => streamId),
      ['slow', 'fast'],
    );
  });
});

const never = new AbortController().signal;

/** Reads as fast as it can, with nothing that would wake it at a commit: it looks in the middle of them. */
async function* polling(log: EventLog): AsyncIterable<readonly RecordedEvent[]> {
  for (let last = 0n; ; ) {
    const events = await log.readAll(last, 37);
    last = events.at(-1)?.position ?? last;
    yield events;
  }
}

async function untilMarker(batches: AsyncIterable<readonly RecordedEvent[]>): Promise<string[]> {
  const ids: string[] = [];
  for await (const events of batches) {
    ids.push(...events.map(({ id }) => id));
    if (events.at(-1)?.streamId === 'marker') break;
  }
  return ids;
}

async function readAll(log: EventLog): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for (;;) {
    const events = await log.readAll(all.at(-1)?.position ?? 0n, 1_000);
    if (events.length === 0) return all;
    all.push(...events);
  }
}

async function write(url: string): Promise<{ acknowledged: Acknowledged[]; conflicts: number }> {
  const child = fork(script, [url, ...[writers, appends, wantedStreams].map(String)]);
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`a writer ended with ${code}`);
  });
  const [result] = await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => undefined);
  return result;
}
