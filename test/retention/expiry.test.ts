import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { expirePersonal } from '../../apps/audit/expire.ts';
import type { NewEvent } from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { created } from '../domain/fixtures.ts';
import { memoryHistory } from '../support/gateway-history.ts';
import { testDatabase } from '../support/postgres.ts';

async function site(t: TestContext) {
  const database = await testDatabase(personalMigrations);
  t.after(() => database.drop());
  const log = memoryEventLog({ upcast: (event) => event });
  const { pool } = database;
  const person = (userId: string) =>
    personalRecords(pool).remember({ userId, userName: userId, remoteAddress: '', userAgent: '' });
  const fact = (type: string, data: object, personal: string): NewEvent => ({
    id: randomUUID(),
    type,
    schemaVersion: 1,
    data: data as NewEvent['data'],
    metadata: {
      actor: { kind: 'user', userId: 'somebody', projectId: 'red', roles: [] },
      ...{ requestId: 'req', causationId: randomUUID(), correlationId: randomUUID() },
      personal,
    },
  });
  return {
    log,
    /** Gives the image that this person made. */
    async imageBy(userId: string, owner: string): Promise<string> {
      const id = randomUUID();
      const made = { ...created.data, owner };
      await log.append(`image-${id}`, [fact('ImageCreated', made, await person(userId))], -1);
      return id;
    },
    append: (stream: string, type: string, data: object, expected: number) =>
      log.append(stream, [fact(type, data, 'of an auditor')], expected),
    person,
    async age(userId: string, days: number): Promise<void> {
      await pool.query(
        `update personal_records set recorded_at = now() - $2::integer * interval '1 day' where user_id = $1`,
        [userId, days],
      );
    },
    async kept(): Promise<readonly string[]> {
      const { rows } = await pool.query('select user_id from personal_records order by 1');
      return rows.map(({ user_id }) => user_id);
    },
    expire: (days: number) =>
      expirePersonal({ log, changes: memoryHistory(log), besideLog: pool }, days, new Date()),
  };
}

describe('Personal records', { concurrency: false }, () => {
  test('go when they are as old as they may be, and a day that they may be used for', async (t) => {
    const { age, expire, kept, log, person } = await site(t);
    await person('old');
    await person('used yesterday');
    await person('new');
    await age('old', 32);
    await age('used yesterday', 30);
    assert.equal(await expire(30), 1);
    assert.deepEqual(await kept(), ['new', 'used yesterday']);
    const told = await log.readAll(0n, 10);
    assert.deepEqual(
      told.map(({ type, data }) => [type, data.records]),
      [
        ['PersonalExpiryOrdered', undefined],
        ['PersonalRecordsExpired', 1],
      ],
    );
    assert.equal(await expire(30), 0);
    assert.equal((await log.readAll(0n, 10)).length, 2, 'nothing is told where nothing goes');
  });

  test('of who stood behind what is under a legal hold stay as long as the hold', async (t) => {
    const { age, append, expire, imageBy, kept } = await site(t);
    const image = await imageBy('of the image', 'red');
    await imageBy('of the project', 'blue');
    await imageBy('of nothing', 'red');
    for (const name of await kept()) await age(name, 100);
    await append(`image-${image}`, 'LegalHoldPlaced', { reason: 'a', from: null }, 0);
    await append('hold-blue', 'ProjectHoldPlaced', { reason: 'b', from: null }, -1);
    assert.equal(await expire(30), 1);
    assert.deepEqual(await kept(), ['of the image', 'of the project']);
    await append(`image-${image}`, 'LegalHoldLifted', { reason: 'a' }, 1);
    assert.equal(await expire(30), 1);
    assert.deepEqual(await kept(), ['of the project']);
    await append('hold-blue', 'ProjectHoldLifted', { reason: 'b' }, 0);
    assert.equal(await expire(30), 1);
    assert.deepEqual(await kept(), []);
  });

  test('are written anew once they have been used for long, where that is asked for', async (t) => {
    const database = await testDatabase(personalMigrations);
    t.after(() => database.drop());
    const who = { userId: 'alice', userName: 'Alice', remoteAddress: '', userAgent: '' };
    const renewing = personalRecords(database.pool, { renewMs: 0 });
    assert.notEqual(await renewing.remember(who), await renewing.remember(who));
    const lasting = personalRecords(database.pool);
    assert.equal(await lasting.remember(who), await lasting.remember(who));
  });
});
