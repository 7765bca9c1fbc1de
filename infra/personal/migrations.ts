/** Beside the log, backed up with it. Erasing a row leaves the log whole: events keep a hash that names nobody. */
export const personalMigrations = [
  {
    name: 'personal-001-records',
    sql: `
      create table personal_records (
        hash text primary key,
        salt bytea not null,
        user_id text not null,
        data jsonb not null,
        recorded_at timestamptz not null default now()
      );
      create index personal_records_by_user on personal_records (user_id);
    `,
  },
  {
    name: 'personal-002-by-age',
    sql: 'create index personal_records_by_age on personal_records (recorded_at)',
  },
] as const;
