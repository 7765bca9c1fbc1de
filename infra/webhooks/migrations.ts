import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/**
 * Beside the log, backed up with it: what signs. It is as readable as its table is, so that whoever may read this table
 * can sign as us; a row can be erased, and the log stays whole.
 */
export const webhookSecretMigrations: readonly Migration[] = [
  {
    name: 'webhook-secrets-001',
    sql: `
      create table webhook_secrets (
        secret_id uuid primary key,
        secret bytea not null,
        recorded_at timestamptz not null default now()
      );
    `,
  },
];

/**
 * How far each endpoint was told, and what became of each attempt. Nothing in them is needed: without its row an endpoint
 * goes on from where the log says that it was told for certain, and a lost table is made again.
 */
const tables = `
  create table if not exists webhook_progress (
    webhook_id text primary key,
    owner text not null,
    moves integer not null,
    revivals integer not null,
    cursor bigint not null,
    ahead bigint[] not null,
    failing json not null,
    refusals integer not null,
    unacknowledged integer not null,
    delivered_at timestamptz
  ) with (fillfactor = 50);
  create table if not exists webhook_deliveries (
    number bigint generated always as identity primary key,
    webhook_id text not null,
    event_id uuid not null,
    position bigint,
    type text not null,
    at timestamptz(3) not null,
    attempt integer not null,
    took_ms integer not null,
    status integer,
    error text,
    manual boolean not null
  );
  create index if not exists webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, number);
  create index if not exists webhook_deliveries_by_event on webhook_deliveries (webhook_id, event_id, number);
`;

export const webhookProgressMigrations: readonly Migration[] = [
  { name: 'webhooks-001-progress', sql: tables },
];

const missing = '42P01';

/** Does what works on these tables; makes them first, where somebody has dropped them. */
export async function withProgressTables<Value>(
  pool: Pool,
  step: () => Promise<Value>,
): Promise<Value> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === missing)) throw error;
    // One at a time: `if not exists` does not keep two from making the same thing at once.
    await pool.query(`select pg_advisory_xact_lock(hashtext('webhook_progress')); ${tables}`);
    return step();
  }
}
