import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { before, describe, test } from 'node:test';
import { listener } from '../../infra/postgres/listen.ts';
import type { Log } from '../../infra/postgres/log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

describe('connections to Postgres', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase();
  });
  const cutAll = (name: string) =>
    database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = $1`,
      [name],
    );

  test('give bigint columns as BigInt', async () => {
    const { rows } = await database.pool.query(
      'select 9007199254740993::bigint as big, 5::integer as small, null::bigint as none',
    );
    assert.deepEqual(rows, [{ big: 9007199254740993n, small: 5, none: null }]);
  });

  test('that are given up say nothing of a server that cuts them at that moment', async () => {
    const warnings: unknown[] = [];
    const log: Log = { ...silent, warn: (_, message) => warnings.push(message) };
    const pool = postgresPool(database.url, { log, max: 1, applicationName: 'given up' });
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
    const pid = rows[0]?.pid ?? 0;
    const gone = new Promise((resolve) => pool.once('remove', resolve));
    process.kill(pid, 'SIGSTOP');
    try {
      await pool.end();
      await cutAll('given up');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await gone;
    assert.deepEqual(warnings, []);
  });

  test('that are cut while idle are logged, and replaced', async () => {
    const warned = new EventEmitter();
    const log: Log = { ...silent, warn: (_, message) => warned.emit('warn', message) };
    const pool = postgresPool(database.url, { log, applicationName: 'idle' });
    await pool.query('select 1');
    const warning = once(warned, 'warn');
    await cutAll('idle');
    assert.match(String(await warning), /idle Postgres connection/);
    assert.deepEqual((await pool.query('select 1 as alive')).rows, [{ alive: 1 }]);
    await pool.end();
  });

  test('that are cut in use fail their query alone', async () => {
    const pool = postgresPool(database.url, { log: silent, applicationName: 'used' });
    const sleeping = assert.rejects(pool.query('select pg_sleep(60)'));
    for (let cut = 0; cut === 0; ) cut = (await cutAll('used')).rowCount ?? 0;
    await sleeping;
    assert.deepEqual((await pool.query('select 1 as alive')).rows, [{ alive: 1 }]);
    await pool.end();
  });

  test('that listen hear every channel, and listen again after a cut', async () => {
    const heard = new EventEmitter();
    const connected = once(heard, 'connect');
    const listening = listener(
      database.url,
      ['one', 'an Other'],
      (channel, payload) => heard.emit('notify', channel, payload),
      { log: silent, onConnect: () => heard.emit('connect'), onLost: () => heard.emit('lost') },
    );
    await connected;
    for (const channel of ['one', 'an Other']) {
      const notified = once(heard, 'notify');
      await database.pool.query('select pg_notify($1, $2)', [channel, 'payload']);
      assert.deepEqual(await notified, [channel, 'payload']);
    }

    const again = Promise.all([once(heard, 'lost'), once(heard, 'connect')]);
    await cutAll('daguerre listen');
    await again;
    const notified = once(heard, 'notify');
    await database.pool.query(`notify one, 'again'`);
    assert.deepEqual(await notified, ['one', 'again']);
    await listening.close();
  });

  test('that listen are one for a process, whoever comes and goes', async () => {
    const told = new EventEmitter();
    const listen = (name: string, channel: string) =>
      listener(database.url, [channel], (_, payload) => told.emit(name, payload), {
        log: silent,
        onConnect: () => told.emit(`${name} connected`),
      });
    const connecting = Promise.all([once(told, 'first connected'), once(told, 'second connected')]);
    const [first, second] = [listen('first', 'one'), listen('second', 'two')];
    await connecting;
    const third = once(told, 'third connected');
    const late = listen('third', 'two');
    await third;
    const { rows } = await database.pool.query<{ listening: number }>(
      `select count(*)::integer as listening from pg_stat_activity
       where datname = current_database() and application_name = 'daguerre listen'`,
    );
    assert.deepEqual(rows, [{ listening: 1 }]);
    await first.close();
    const wrong: unknown[] = [];
    told.on('first', (payload) => wrong.push(payload));
    const heard = Promise.all([once(told, 'second'), once(told, 'third')]);
    await database.pool.query(`select pg_notify('one', 'nobody'), pg_notify('two', 'both')`);
    assert.deepEqual(await heard, [['both'], ['both']]);
    assert.deepEqual(wrong, []);
    await Promise.all([second.close(), late.close()]);
    const again = once(told, 'fourth connected');
    const fourth = listen('fourth', 'one');
    await again;
    await fourth.close();
  });

  test('that listen to a server that is away end when told to', async () => {
    const lost = new EventEmitter();
    const first = once(lost, 'lost');
    const listening = listener('postgresql://x@localhost/x?host=%2Fnowhere', ['one'], () => {}, {
      log: silent,
      onLost: () => lost.emit('lost'),
    });
    await first;
    await listening.close();
  });
});
