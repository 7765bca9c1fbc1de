import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Pool } from 'pg';
import { requireSameLog } from '../../apps/same-log.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { live, migrations, rebuildFrom, startProjector } from './read-model.ts';
import { newEvent, plain, uuid } from './recorded.ts';

const append = (log: EventLog, name: string) =>
  log.append(`image-${uuid(name)}`, [newEvent({ type: 'ImageCreated', data: plain }, name)], -1);
const shows = async (pool: Pool, name: string): Promise<boolean> =>
  (await imageQueries(pool).show(uuid(name))) !== undefined;

const open = (url: string): Promise<EventLog> =>
  openEventLog(url, { log: silent, upcast: (event) => event });

/** Two logs of each kind. */
const adapters: Readonly<Record<string, () => Promise<EventLog>>> = {
  'in memory': async () => memoryEventLog({ upcast: (event) => event }),
  'in Postgres': async () => open((await testDatabase(eventLogMigrations)).url),
  'in EventStoreDB (a protocol double)': async () => {
    const double = await eventStoreDbDouble();
    after(() => double.stop());
    return open(double.url);
  },
};

const isRefused = (error: unknown): boolean =>
  error instanceof ConfigError &&
  /the read models \(images\) were made from another event log.*`daguerre rebuild`/.test(
    error.message,
  );

for (const [where, newLog] of Object.entries(adapters))
  describe(`a read model of a log ${where}`, () => {
    test('is refused another log, until it is made from that one', async () => {
      const { pool } = await testDatabase(migrations);
      const [own, other] = [await newLog(), await newLog()];
      await append(own, 'own');
      await append(other, 'of others');
      await append(other, 'more of others');
      await rebuildFrom(pool, own);
      await requireSameLog(pool, own);
      await assert.rejects(requireSameLog(pool, other), isRefused);
      await append(own, 'later');
      await append(own, 'and later');
      await append(own, 'so that it is ahead');
      await rebuildFrom(pool, own);
      await rebuildFrom(pool, other);
      await requireSameLog(pool, other);
      await assert.rejects(requireSameLog(pool, own), isRefused);
      assert.deepEqual([await shows(pool, 'own'), await shows(pool, 'of others')], [false, true]);
      await Promise.all([own.close(), other.close()]);
    });

    test('is refused an empty one, too', async () => {
      const { pool } = await testDatabase(migrations);
      const [own, empty] = [await newLog(), await newLog()];
      await append(own, 'own');
      await rebuildFrom(pool, own);
      await assert.rejects(requireSameLog(pool, empty), isRefused);
      await Promise.all([own.close(), empty.close()]);
    });

    test('that began with an empty log, or before this was kept, belongs to the one that it follows', async () => {
      const { pool } = await testDatabase(migrations);
      const [own, other] = [await newLog(), await newLog()];
      await append(other, 'of others');
      const projector = startProjector(pool, own);
      await projector.ready;
      assert.equal((await live(pool)).logId, null);
      await requireSameLog(pool, own);
      await append(own, 'first');
      await until('it to be kept', async () => (await live(pool)).logId !== null);
      await projector.stop();
      await assert.rejects(requireSameLog(pool, other), isRefused);

      await pool.query('update read_model.generation set log_id = null');
      const next = startProjector(pool, own);
      await until('it to be kept again', async () => (await live(pool)).logId !== null);
      await next.stop();
      await assert.rejects(requireSameLog(pool, other), isRefused);
      await requireSameLog(pool, own);
      await Promise.all([own.close(), other.close()]);
    });
  });

test('a release that did not keep it has its table brought up', async () => {
  const { pool } = await testDatabase([]);
  await pool.query(`
    create schema read_model;
    create table read_model.generation (
      model text not null,
      number bigint generated always as identity primary key,
      version integer not null,
      state text not null check (state in ('building', 'live', 'retired')),
      position bigint not null default 0,
      retired_at timestamptz
    )`);
  const log = memoryEventLog({ upcast: (event) => event });
  await append(log, 'own');
  await Promise.all([1, 2, 3].map(() => requireSameLog(pool, log)));
  await rebuildFrom(pool, log);
  assert.notEqual((await live(pool)).logId, null);
  await log.close();
});
