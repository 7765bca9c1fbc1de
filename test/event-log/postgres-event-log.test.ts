import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { EventLog } from '../../domain/event-log.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { listener } from '../../infra/postgres/listen.ts';
import { contractUpcast, eventLogContract } from '../contracts/event-log.ts';
import { noted } from '../contracts/noted.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

let database: TestDatabase;
before(async () => {
  database = await testDatabase(eventLogMigrations);
});

const open = () => postgresEventLog(database.url, { log: silent, upcast: contractUpcast });

eventLogContract('Postgres', async () => open());

describe('the log in Postgres', () => {
  let log: EventLog;
  before(() => {
    log = open();
  });
  after(() => log.close());

  test('commits and notifies once for the appends of one moment', async () => {
    const heard = new EventEmitter();
    const heads: string[] = [];
    const connected = once(heard, 'connect');
    const listening = listener(
      database.url,
      ['daguerre_events'],
      (_, head) => {
        heads.push(head);
        heard.emit('head', head);
      },
      { log: silent, onConnect: () => heard.emit('connect') },
    );
    await connected;
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => log.append(`shared-${index}`, [noted('')], -1)),
    );
    const last = String(await log.head());
    while (!heads.includes(last)) await once(heard, 'head');
    await listening.close();
    assert.deepEqual(heads, [last]);
  });

  test('takes an append, or many, larger than a batch', async () => {
    const events = (count: number) => Array.from({ length: count }, (_, n) => noted(`${n}`));
    const before = await log.head();
    await Promise.all([
      log.append('large', events(2_500), -1),
      ...Array.from({ length: 30 }, (_, n) => log.append(`many-${n}`, events(100), -1)),
      log.append('heavy', [noted('x'.repeat(5 * 1024 * 1024))], -1),
    ]);
    assert.equal(await log.head(), before + 2_500n + 3_000n + 1n);
    const { events: large } = await log.readStream('large');
    assert.deepEqual(
      large.map(({ revision, data }) => [revision, data.note]),
      Array.from({ length: 2_500 }, (_, n) => [n, `${n}`]),
    );
  });

  test('reads and follows large events in parts, and misses none', async () => {
    const head = await log.head();
    const large = () => noted('ä'.repeat(1024 * 1024));
    for (let index = 0; index < 12; index += 1) await log.append('bulky', [large()], index - 1);
    const first = await log.readAll(head, 1_000);
    assert.equal(first.length, 4, 'as many as make up eight mebibytes');
    assert.equal((await log.readStream('bulky')).events.length, 12);
    const stop = new AbortController();
    const positions: bigint[] = [];
    for await (const events of log.follow(head, stop.signal)) {
      positions.push(...events.map(({ position }) => position));
      if (positions.length === 12) stop.abort();
    }
    assert.deepEqual(
      positions,
      Array.from({ length: 12 }, (_, index) => head + BigInt(index + 1)),
    );
  });

  test('lets nobody change or remove an event', async () => {
    await log.append('fixed', [noted('')], -1);
    for (const sql of [
      `update events set data = '{}'`,
      `delete from events where stream_id = 'fixed'`,
      'truncate events',
    ])
      await assert.rejects(database.pool.query(sql), /never changed/);
  });
});
