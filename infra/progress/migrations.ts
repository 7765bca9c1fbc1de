import type { Migration } from '../postgres/migrate.ts';

/** Unlogged: a crash of Postgres may empty it. */
export const progressMigrations: readonly Migration[] = [
  {
    name: 'import-progress-001',
    sql: `
      create unlogged table import_progress (
        upload_id text primary key,
        progress json not null,
        told_at timestamptz not null default now()
      ) with (fillfactor = 50);
    `,
  },
];
