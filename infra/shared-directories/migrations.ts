import type { Migration } from '../postgres/migrate.ts';

/** Made again at the next start where somebody has dropped it: it tells of processes that live. */
export const sharedDirectories = `
  create table if not exists shared_directories (
    number bigint generated always as identity primary key,
    owner text not null,
    name text not null,
    host text not null,
    directory text not null,
    joined_at timestamptz not null default now()
  );
`;

export const sharedDirectoryMigrations: readonly Migration[] = [
  { name: 'directories-001-shared', sql: sharedDirectories },
];
