import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type pg from 'pg';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { planSettings } from '../../infra/event-log/postgres/rows.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { followed } from '../contracts/event-log.ts';
import { noted } from '../contracts/noted.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

const fill = `
  insert into events
    select p, 'stream-' || p / 10, p % 10, gen_random_uuid(), 'Noted', 1, now(), '{}', '{}'
    from generate_series(1, 20000) as p;
  insert into event_heads select 'stream-' || s, 9 from generate_series(0, 2000) as s;
  update event_counter set position = 20000;
  analyze`;

describe('questions to the log', () => {
  let asTheLog: pg.Pool;
  before(async () => {
    const { url, pool } = await testDatabase(eventLogMigrations);
    await pool.query(fill);
    asTheLog = postgresPool(url, { log: silent, settings: planSettings });
  });
  after(() => asTheLog.end());

  /** Of the one query that a function of the log makes. */
  const plan = async (name: string): Promise<string> => {
    const source = await asTheLog.query('select prosrc from pg_proc where proname = $1', [name]);
    const [, query] = /\bin\s+(select.*?)\bloop/s.exec(source.rows[0]?.prosrc) ?? [];
    const { rows } = await asTheLog.query(`explain (generic_plan, costs off) ${query}`);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };

  test('go by the index of streams, and need no sorting', async () => {
    const steps = await plan('next_of_stream');
    assert.match(steps, /Index Scan using events_stream_id_revision_key/);
    assert.doesNotMatch(steps, /Sort|Seq Scan/);
  });

  test('go by the index of positions, and need no sorting', async () => {
    const steps = await plan('next_of_all');
    assert.match(steps, /Index Scan using events_pkey/);
    assert.doesNotMatch(steps, /Sort|Seq Scan/);
  });

  test('and appends never scan a table, however small it was when they were planned', async () => {
    const young = await testDatabase(eventLogMigrations);
    const log = postgresEventLog(young.url, { log: silent, upcast: (event) => event });
    for (let round = 0; round < 12; round += 1) {
      const streams = [`${round}-a`, `${round}-b`];
      await Promise.all(streams.map((stream) => log.append(stream, [noted('')], -1)));
      await Promise.all(streams.map((stream) => log.append(stream, [noted('')], 0)));
      await log.readStream(`${round}-a`);
    }
    await followed(log, 0n, 48);
    await log.close();
    await sessionsEnd(young);
    const { rows } = await young.pool.query(`
      select relname, seq_scan
      from pg_stat_user_tables
      where relname in ('events', 'event_heads')
      order by relname`);
    assert.deepEqual(rows, [
      { relname: 'event_heads', seq_scan: 0n },
      { relname: 'events', seq_scan: 0n },
    ]);
  });
});

/** A session's counts are certain to be in the statistics when it has ended. */
async function sessionsEnd({ pool }: TestDatabase): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `select from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    );
    if (rowCount === 0) return;
  }
}
