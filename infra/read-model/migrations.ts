import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/**
 * The generations of every read model, with the checkpoint of each. Their tables lie in schemas of their own
 * (`images_7`), made and dropped as rebuilds come and go; views in the read model's schema (`images`) name the live one.
 * It may be run again: whoever drops all this only makes the projector build it anew.
 */
const generations = `
  create schema if not exists read_model;
  create table if not exists read_model.generation (
    model text not null,
    number bigint generated always as identity primary key,
    version integer not null,
    state text not null check (state in ('building', 'live', 'retired')),
    position bigint not null default 0,
    retired_at timestamptz
  );
  create unique index if not exists generation_live on read_model.generation (model) where state = 'live';
`;

/** The identity of the log that a generation was made from: see `origin.ts`. */
const origins = `
  do $$ begin
    if not exists (
      select from pg_attribute where attrelid = 'read_model.generation'::regclass and attname = 'log_id'
    ) then
      alter table read_model.generation add column log_id text;
    end if;
  end $$;
`;

export const readModelMigrations: readonly Migration[] = [
  { name: 'read-model-001-generations', sql: generations },
  { name: 'read-model-002-origins', sql: origins },
];

/** One at a time: `if not exists` does not keep two from making the same thing at once. */
export async function ensureGenerations(pool: Pool): Promise<void> {
  await pool.query(
    `select pg_advisory_xact_lock(hashtext('read_model.generation')); ${generations} ${origins}`,
  );
}
