import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/** Beside the log, and nothing in them is needed: a lost row is written again at the next beat, a lost table made again. */
const tables = `
  create unlogged table if not exists heartbeats (
    owner text primary key,
    part text not null,
    beat bigint not null,
    beaten_at timestamptz not null default now(),
    metrics jsonb
  );
  create unlogged table if not exists leases (
    name text primary key,
    owner text not null,
    token bigint not null
  );
`;

export const leaseMigrations: readonly Migration[] = [
  { name: 'leases-001-heartbeats', sql: tables },
];

/** Of two that make a table at once one may be told that it, or its type, is there. */
const madeMeanwhile = ['42P07', '42710', '23505'];
const missing = '42P01';

export async function ensureLeases(pool: Pool): Promise<void> {
  try {
    await pool.query(tables);
  } catch (error) {
    if (!madeMeanwhile.includes(codeOf(error))) throw error;
    await pool.query(tables);
  }
}

/** Does what works on these tables; makes them first, where somebody has dropped them. */
export async function withLeases<T>(pool: Pool, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (codeOf(error) !== missing) throw error;
    await ensureLeases(pool);
    return step();
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';
