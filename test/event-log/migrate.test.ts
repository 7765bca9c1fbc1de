import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Migration, migrate } from '../../infra/postgres/migrate.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

const first: Migration = {
  name: 'notes-001-table',
  sql: `create table notes (note text); insert into notes values ('first')`,
};
const second: Migration = {
  name: 'notes-002-more',
  sql: `insert into notes values ('second'); alter table notes add column more text`,
};
const broken: Migration = {
  name: 'notes-003-broken',
  sql: `insert into notes values ('broken'); select 1 / 0`,
};

describe('migrations', () => {
  const notes = async (pool: { query: (sql: string) => Promise<{ rows: { note: string }[] }> }) =>
    (await pool.query('select note from notes')).rows.map(({ note }) => note);

  test('run once each, in order, and say which ran', async () => {
    const { pool } = await testDatabase();
    assert.deepEqual(await migrate(pool, [first]), [first.name]);
    assert.deepEqual(await migrate(pool, [first, second]), [second.name]);
    assert.deepEqual(await migrate(pool, [first, second]), []);
    assert.deepEqual(await notes(pool), ['first', 'second']);
  });

  test('run once when several processes start together', async () => {
    const { url, pool } = await testDatabase();
    const pools = Array.from({ length: 4 }, () => postgresPool(url, { log: silent, max: 1 }));
    const ran = await Promise.all(pools.map((each) => migrate(each, [first, second])));
    await Promise.all(pools.map((each) => each.end()));
    assert.deepEqual(ran.flat(), [first.name, second.name]);
    assert.deepEqual(await notes(pool), ['first', 'second']);
  });

  test('leave nothing of one that fails, and try it again next time', async () => {
    const { pool } = await testDatabase();
    await assert.rejects(migrate(pool, [first, broken, second]), /notes-003-broken/);
    assert.deepEqual(await notes(pool), ['first']);
    const repaired = { ...broken, sql: `insert into notes values ('repaired')` };
    assert.deepEqual(await migrate(pool, [first, repaired]), [broken.name]);
    assert.deepEqual(await notes(pool), ['first', 'repaired']);
  });

  test('of a newer release are left alone', async () => {
    const { pool } = await testDatabase();
    await migrate(pool, [first, second]);
    assert.deepEqual(await migrate(pool, [first]), []);
  });
});
