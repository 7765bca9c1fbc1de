/** Beside the log, and nothing in them is needed: a lost row is written again at the next beat. */
export const leaseMigrations = [
  {
    name: 'leases-001-heartbeats',
    sql: `
      create unlogged table heartbeats (
        owner text primary key,
        part text not null,
        beat bigint not null,
        beaten_at timestamptz not null default now(),
        metrics jsonb
      );
      create unlogged table leases (
        name text primary key,
        owner text not null,
        token bigint not null
      );
    `,
  },
] as const;
