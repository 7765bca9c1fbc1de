import assert from 'node:assert/strict';
import { test } from 'node:test';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { type Person, personalHash, personalRecords } from '../../infra/personal/records.ts';
import { testDatabase } from '../support/postgres.ts';

const alice: Person = {
  userId: 'u-1',
  userName: 'alice',
  remoteAddress: '192.0.2.1',
  userAgent: 'python-glanceclient',
};

test('a person is written once, under the salted hash of what is known', async () => {
  const { pool } = await testDatabase(personalMigrations);
  const records = personalRecords(pool);
  const [first, second] = await Promise.all([records.remember(alice), records.remember(alice)]);
  assert.equal(first, second);
  assert.equal(await records.remember(alice), first);
  const { rows } = await pool.query('select hash, salt, user_id, data from personal_records');
  assert.equal(rows.length, 1);
  assert.deepEqual([rows[0].hash, rows[0].user_id, rows[0].data], [first, 'u-1', alice]);
  const sorted = Object.fromEntries(Object.entries(alice).sort());
  assert.equal(personalHash(rows[0].salt, JSON.stringify(sorted)), first);
});

test('another address, another life of the process and another agent are other records', async () => {
  const { pool } = await testDatabase(personalMigrations);
  const records = personalRecords(pool);
  const hashes = new Set([
    await records.remember(alice),
    await records.remember({ ...alice, remoteAddress: '192.0.2.2' }),
    await records.remember({ ...alice, userAgent: 'curl' }),
    await personalRecords(pool).remember(alice),
  ]);
  assert.equal(hashes.size, 4);
});

test('a record that could not be written is not taken for written', async () => {
  const { pool } = await testDatabase(personalMigrations);
  const records = personalRecords(pool);
  await pool.query('alter table personal_records rename to away');
  await assert.rejects(records.remember(alice));
  await pool.query('alter table away rename to personal_records');
  const hash = await records.remember(alice);
  const { rows } = await pool.query('select hash from personal_records');
  assert.deepEqual(rows, [{ hash }]);
});
