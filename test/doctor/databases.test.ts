import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { runStandalone } from '../support/daguerre.ts';
import { eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { testDatabase } from '../support/postgres.ts';
import { cliMain, doctor, root } from './doctor.ts';

describe('the doctor, of Postgres', () => {
  test('names one that is not reached, or lets nobody in', async () => {
    const unreached = await doctor(['--postgres-url', 'postgres://me:secret@127.0.0.1:1/none']);
    unreached.says('postgres', 'fail', /ECONNREFUSED.*--postgres-url/);
    assert.ok(!JSON.stringify(unreached.findings).includes('secret'));
    const { url } = await testDatabase();
    const stranger = url.replace(/\/\/[^@]*@/, '//stranger@');
    const refused = await doctor(['--postgres-url', stranger]);
    refused.says('postgres', 'fail', /role "stranger" does not exist/);
  });

  test('names migrations that are missing', async () => {
    const { url } = await testDatabase();
    (await doctor(['--postgres-url', url])).says(
      'postgres',
      'fail',
      /lacks events-001-log, .*: run daguerre migrate/,
    );
  });

  test('names settings under which acknowledged changes can be lost', async () => {
    const { url, pool } = await testDatabase();
    await pool.query(`do $$ begin
      execute format('alter database %I set synchronous_commit = off', current_database());
    end $$`);
    const asked = await doctor(['--postgres-url', url]);
    const found = asked.findings.filter(({ says }) => says.startsWith('synchronous_commit is off'));
    assert.deepEqual(
      found.map(({ verdict }) => verdict),
      ['fail'],
    );
  });

  test('names a log that its user may only read', async (t) => {
    const { url, pool } = await testDatabase(eventLogMigrations);
    const role = `reader_${Date.now()}`;
    await pool.query(
      `create role ${role} login; grant select on all tables in schema public to ${role}`,
    );
    t.after(async () => pool.query(`drop owned by ${role}; drop role ${role}`));
    const migrated = await testDatabase();
    const done = runStandalone(
      [
        'migrate',
        '--postgres-url',
        migrated.url,
        '--event-log-url',
        url,
        '--data-dir',
        join(root, 'm'),
      ],
      { main: cliMain },
    );
    assert.equal((await done.ended).code, 0, done.log());
    await pool.query(`grant select on all tables in schema public to ${role}`);
    const asked = await doctor([
      ...['--postgres-url', migrated.url],
      ...['--event-log-url', url.replace(/\/\/[^@]*@/, `//${role}@`)],
    ]);
    asked.says('event log', 'fail', /permission denied|lacks insert on events/);
  });

  test('says that nothing lives, and who is thought to', async () => {
    const { url, pool } = await testDatabase();
    const done = runStandalone(['migrate', '--postgres-url', url, '--data-dir', join(root, 'm')], {
      main: cliMain,
    });
    assert.equal((await done.ended).code, 0, done.log());
    await pool.query(
      `insert into leases (name, owner, token) values ('dispatcher', 'worker-x', 1)`,
    );
    const asked = await doctor(['--postgres-url', url]);
    asked.says('processes', 'warn', /none lives/);
    asked.says('leases', 'warn', /dispatcher is held by worker-x, which is dead/);
    await pool.query(
      `insert into heartbeats (owner, part, beat) values ('gateway-y', 'gateway', 5)`,
    );
    (await doctor(['--postgres-url', url, '--lease-ms', '60000'])).says(
      'processes',
      'fail',
      /1 gateway; no worker, no projector lives/,
    );
  });
});

describe('the doctor, of the event log in EventStoreDB (a protocol double)', () => {
  test('finds it, and finds it gone', async () => {
    const double = await eventStoreDbDouble();
    const args = ['--event-log-url', double.url, '--postgres-url', (await testDatabase()).url];
    const found = await doctor(args);
    found.says('event log', 'ok', /in EventStoreDB, its head at position 0, would take an append/);
    assert.equal(double.log.all.filter(({ stream }) => !stream.startsWith('$')).length, 0);
    await double.stop();
    (await doctor(args)).says('event log', 'fail', /--event-log-url/);
  });
});
