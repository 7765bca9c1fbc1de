import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type NewEvent,
} from '../../domain/event-log.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { processesOn } from '../../infra/postgres/embedded/orphans.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { noted } from '../contracts/noted.ts';

import {
  sessionsWait,
  type TestDatabase,
  type TestServer,
  testDatabase,
  testServer,
} from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

const open = (url: string) => postgresEventLog(url, { log: silent, upcast: (event) => event });

describe('the log while Postgres is killed and started again', () => {
  let server: TestServer;
  let log: EventLog;
  before(async () => {
    server = await testServer();
    const pool = postgresPool(server.url, { log: silent, max: 1 });
    await migrate(pool, eventLogMigrations);
    await pool.end();
    log = open(server.url);
  });
  after(async () => {
    await log.close();
    await server.remove();
  });

  test('keeps every acknowledged append, and the others whole or not at all', async () => {
    const acknowledged = new Map<string, bigint>();
    const unknown = new Map<string, readonly NewEvent[]>();
    const unavailable = new Set<string>();
    let writing = true;
    const write = async () => {
      while (writing) {
        const stream = `killed-${randomUUID()}`;
        const events = [noted('1'), noted('2'), noted('3')];
        try {
          acknowledged.set(stream, await log.append(stream, events, -1));
        } catch (error) {
          if (error instanceof AppendUnknown) unknown.set(stream, events);
          else if (error instanceof LogUnavailable) unavailable.add(stream);
          else throw error;
          await turn();
        }
      }
    };
    const following = followed(log);
    const writers = Array.from({ length: 8 }, write);
    for (let round = 1; round <= 3 || (unknown.size === 0 && round <= 20); round += 1) {
      const enough = acknowledged.size + 200;
      while (acknowledged.size < enough) await turn();
      await killAll(server);
      const tried = unavailable.size;
      while (unavailable.size === tried) await turn();
      server = await testServer(server.dataDir);
    }
    const enough = acknowledged.size + 200;
    while (acknowledged.size < enough) await turn();
    writing = false;
    await Promise.all(writers);
    await log.append('marker', [noted('')], -1);

    const seen = await following;
    const streams = new Map<string, string[]>();
    const lastOf = new Map<string, bigint>();
    let last = 0n;
    for (const { streamId, position, id } of seen) {
      assert.equal(position, last + 1n);
      last = position;
      lastOf.set(streamId, position);
      streams.set(streamId, [...(streams.get(streamId) ?? []), id]);
    }
    for (const [stream, position] of acknowledged) {
      assert.equal(streams.get(stream)?.length, 3);
      assert.equal(lastOf.get(stream), position);
    }
    for (const stream of unavailable) assert.equal(streams.get(stream), undefined);
    for (const [stream, events] of unknown)
      if (streams.has(stream))
        assert.deepEqual(
          streams.get(stream),
          events.map(({ id }) => id),
        );
    assert.ok(unknown.size > 0, 'no kill fell into an append');
  });
});

describe('an append whose connection', () => {
  let database: TestDatabase;
  let log: EventLog;
  before(async () => {
    database = await testDatabase(eventLogMigrations);
    log = open(database.url);
  });
  after(() => log.close());

  test('is lost after sending is unknown, and so is each of its batch', async () => {
    const holder = await database.pool.connect();
    try {
      await holder.query('begin; select from event_counter for update');
      const streams = ['lost-1', 'lost-2'];
      const results = Promise.allSettled(
        streams.map((stream) => log.append(stream, [noted('')], -1)),
      );
      await sessionsWait(database);
      await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      for (const result of await results)
        assert.ok(result.status === 'rejected' && result.reason instanceof AppendUnknown);
      await holder.query('rollback');
    } finally {
      holder.release();
    }
    assert.equal((await log.readStream('lost-1')).revision, -1);
    await log.append('lost-1', [noted('')], -1);
  });

  test('cannot be made was not sent', async () => {
    const nowhere = open('postgresql://daguerre@localhost/daguerre?host=%2Fnowhere');
    await assert.rejects(nowhere.append('any', [noted('')], -1), LogUnavailable);
    await assert.rejects(nowhere.readStream('any'), LogUnavailable);
    await assert.rejects(nowhere.readAll(0n, 1), LogUnavailable);
    await assert.rejects(nowhere.head(), LogUnavailable);
    await nowhere.close();
  });

  test('is held by a busy stream does not hold up the appends to others', async () => {
    await log.append('busy', [noted('')], -1);
    const holder = await database.pool.connect();
    try {
      await holder.query(`begin; select from event_heads where stream_id = 'busy' for update`);
      const busy = log.append('busy', [noted('')], 0);
      await sessionsWait(database);
      await log.append('idle', [noted('')], -1);
      await holder.query('rollback');
      await busy;
    } finally {
      holder.release();
    }
  });

  test('was cut while following goes on where it stopped', async () => {
    const before = await log.head();
    const stop = new AbortController();
    const notes: unknown[] = [];
    const following = (async () => {
      for await (const events of log.follow(before, stop.signal))
        notes.push(...events.map(({ data }) => data.note));
    })();
    const notesReach = async (count: number) => {
      while (notes.length < count) await turn();
    };
    await log.append('followed', [noted('before')], -1);
    await notesReach(1);
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    while (
      !(await log.append('followed', [noted('after')], 0).then(
        () => true,
        () => false,
      ))
    )
      await turn();
    await notesReach(2);
    stop.abort();
    await following;
    assert.deepEqual(notes, ['before', 'after']);
  });
});

/** Its children too: they would finish what they are at before they saw that it is gone. */
async function killAll({ dataDir, exited }: TestServer): Promise<void> {
  for (const pid of await processesOn(path.join(dataDir, 'postgres')))
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // With the postmaster gone, an idle child may have ended by itself already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  await exited;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

async function followed(log: EventLog) {
  const seen = [];
  for await (const events of log.follow(0n, new AbortController().signal)) {
    seen.push(...events);
    if (events.at(-1)?.streamId === 'marker') break;
  }
  return seen;
}
