import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/**
 * One row for each process that answers from memory. Logged, unlike heartbeats: if a crash of Postgres emptied it, a
 * writer that starts just then would wait for nobody. `beat` below 0 is one that has given it up. Made again when dropped.
 */
const table = `
  create table if not exists near_holders (
    owner text primary key,
    beat bigint not null,
    heard bigint not null,
    beaten_at timestamptz not null default now()
  )`;

export const nearMigrations: readonly Migration[] = [{ name: 'near-001-holders', sql: table }];

/** Whether somebody has dropped what these statements are about. */
export const isDropped = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '42P01';

export async function ensureHolders(pool: Pool): Promise<void> {
  await pool.query(`select pg_advisory_xact_lock(hashtext('near_holders')); ${table}`);
}
