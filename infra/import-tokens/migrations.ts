import type { Migration } from '../postgres/migrate.ts';

/** Beside the log: without its token an import that was accepted comes to nothing. No row outlives its import for long. */
export const importTokenMigrations: readonly Migration[] = [
  {
    name: 'import-tokens-001',
    sql: `
      create table import_tokens (
        upload_id uuid primary key,
        image_id uuid not null,
        token text not null,
        recorded_at timestamptz not null default now()
      );
    `,
  },
];
