import type pg from 'pg';

/** One step forward of the schema. Never edited, removed or moved once released: what it did is done elsewhere. */
export interface Migration {
  /** Unique among all: `<owner>-<number>-<what>`, for example `events-001-log`. */
  readonly name: string;
  /** Any statements; they run in one transaction. */
  readonly sql: string;
}

/** Any number that nobody else locks: "daguerre" in ASCII, shortened. */
const lockKey = 0x64616775;

/**
 * Runs those that the database has not seen, in the order given, each in a transaction of its own; gives their names.
 * Processes that start together wait for each other. Migrations that only a newer release knows are left alone.
 */
export async function migrate(
  pool: pg.Pool,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const client = await pool.connect();
  let failed = true;
  try {
    await client.query(`select pg_advisory_lock(${lockKey})`);
    await client.query(`
      create table if not exists migrations (
        name text primary key,
        ran_at timestamptz not null default now()
      )`);
    const { rows } = await client.query<{ name: string }>('select name from migrations');
    const seen = new Set(rows.map(({ name }) => name));
    const due = migrations.filter(({ name }) => !seen.has(name));
    for (const migration of due) await run(client, migration);
    await client.query(`select pg_advisory_unlock(${lockKey})`);
    failed = false;
    return due.map(({ name }) => name);
  } finally {
    // After a failure the connection goes, and with it the lock and the open transaction.
    client.release(failed);
  }
}

/** The names of those that the database has not seen. */
export async function pending(
  pool: pg.Pool,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const there = await pool.query(`select to_regclass('migrations') as made`);
  const { rows } =
    there.rows[0]?.made === null
      ? { rows: [] }
      : await pool.query<{ name: string }>('select name from migrations');
  const seen = new Set(rows.map(({ name }) => name));
  return migrations.map(({ name }) => name).filter((name) => !seen.has(name));
}

async function run(client: pg.PoolClient, { name, sql }: Migration): Promise<void> {
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('insert into migrations (name) values ($1)', [name]);
    await client.query('commit');
  } catch (cause) {
    throw new Error(`migration ${name} failed; nothing of it is left`, { cause });
  }
}
