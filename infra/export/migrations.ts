import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/**
 * How far each target of the audit export is, beside the log and backed up with it. Nothing in it is needed: without its
 * row a target goes on from its own last record, or from where the log says (`domain/export/events.ts`), and is told some
 * of it again; a lost table is made again.
 */
const table = `
  create table if not exists audit_exports (
    target text primary key,
    owner uuid not null,
    moves integer not null,
    position bigint not null,
    event_id uuid,
    exported_at timestamptz,
    failing_since timestamptz,
    error text,
    refused bigint
  ) with (fillfactor = 50);
`;

export const exportMigrations: readonly Migration[] = [{ name: 'export-001-targets', sql: table }];

const missing = '42P01';

/** Does what works on the table; makes it first, where somebody has dropped it. */
export async function withExportTable<Value>(
  pool: Pool,
  step: () => Promise<Value>,
): Promise<Value> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === missing)) throw error;
    // One at a time: `if not exists` does not keep two from making the same thing at once.
    await pool.query(`select pg_advisory_xact_lock(hashtext('audit_exports')); ${table}`);
    return step();
  }
}
