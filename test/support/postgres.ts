import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { type Migration, migrate } from '../../infra/postgres/migrate.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { silent } from './silent-log.ts';

export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Ends the pool and removes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** A database of the caller's own, with the migrations run. Dropped after the test file at the latest. */
export async function testDatabase(migrations: readonly Migration[] = []): Promise<TestDatabase> {
  const server = await serverUrl();
  const template = await migratedTemplate(server, migrations);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await onServer(server, (client) => client.query(`create database ${name} template ${template}`));
  const url = withDatabase(server, name);
  const pool = postgresPool(url, { log: silent });
  let dropping: Promise<void> | undefined;
  const drop = () => {
    dropping ??= pool
      .end()
      .then(() => onServer(server, (client) => client.query(`drop database ${name} with (force)`)));
    return dropping;
  };
  databases.push(drop);
  return { url, pool, drop };
}

/** Until `count` sessions of the database wait for a lock that another holds. */
export async function sessionsWait({ pool }: TestDatabase, count = 1): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((rowCount ?? 0) >= count) return;
    await delay(5);
  }
}

export interface TestServer extends EmbeddedPostgres {
  readonly dataDir: string;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** A Postgres of the caller's own, to be killed at will. `dataDir` is where the killed one's data is. */
export async function testServer(dataDir?: string): Promise<TestServer> {
  const directory = dataDir ?? (await mkdtemp(path.join(os.tmpdir(), 'daguerre-test-')));
  const postgres = await startEmbeddedPostgres({ dataDir: directory, log: silent });
  // A test file that ends without its hooks must not leave a server behind.
  const stopNow = () => {
    try {
      process.kill(postgres.pid, 'SIGQUIT');
    } catch {} // It has ended.
  };
  process.once('exit', stopNow);
  void postgres.exited.then(() => process.off('exit', stopNow));
  const remove = async () => {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
  return { ...postgres, dataDir: directory, remove };
}

const databases: (() => Promise<void>)[] = [];
let ownServer: Promise<TestServer> | undefined;

/** That of the whole test run when the runner started one; else one of this file's own. */
async function serverUrl(): Promise<string> {
  // biome-ignore lint/style/noProcessEnv: how the test runner hands one server to all the test files
  const shared = process.env.DAGUERRE_TEST_POSTGRES_URL;
  if (shared) return shared;
  ownServer ??= testServer();
  return (await ownServer).url;
}

after(async () => {
  await Promise.all(databases.map((drop) => drop()));
  await (await ownServer)?.remove();
});

/** Migrated once for all test files of a run: the name says what is in it, and is given only when all of it is. */
async function migratedTemplate(server: string, migrations: readonly Migration[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(migrations)).digest('hex').slice(0, 24);
  const name = `template_${hash}`;
  await onServer(server, async (client) => {
    await client.query(`select pg_advisory_lock(hashtext('daguerre test template'))`);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount !== 0) return;
    const draft = `draft_${randomUUID().replaceAll('-', '')}`;
    await client.query(`create database ${draft} template template0`);
    const pool = postgresPool(withDatabase(server, draft), { log: silent, max: 1 });
    await migrate(pool, migrations);
    await pool.end();
    await client.query(`alter database ${draft} rename to ${name}`);
  });
  return name;
}

async function onServer(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
