import type { Pool } from 'pg';
import type { Migration } from '../postgres/migrate.ts';

/**
 * What must be remembered, beside the log and backed up with it: what was signed, by which keys, and what was found wrong.
 *
 *     audit_checkpoints  signed heads of the tree: all of the last day, one an hour of older ones
 *     audit_keys         public keys in their order, each with the hand-over that the one before it signed
 *     audit_watch        one row: the alarm, if there is one, and when the whole log was last compared with its tree
 *     audit_targets      how far each place is to which checkpoints are sent
 */
export const auditMemoryMigrations: readonly Migration[] = [
  {
    name: 'audit-001-memory',
    sql: `
      create table audit_checkpoints (
        size bigint primary key,
        root bytea not null,
        position bigint not null,
        note text not null,
        signed_at timestamptz not null default now(),
        lasting boolean not null
      );
      create index audit_checkpoints_passing on audit_checkpoints (signed_at) where not lasting;
      create table audit_keys (
        number integer generated always as identity primary key,
        verifier_key text not null unique,
        from_size bigint not null,
        hand_over text,
        since timestamptz not null default now()
      );
      create table audit_watch (
        only_row boolean primary key default true check (only_row),
        alarm text,
        alarmed_at timestamptz,
        checked_at timestamptz,
        checked_size bigint
      );
      insert into audit_watch default values;
      create table audit_targets (
        target text primary key,
        size bigint not null,
        sent_at timestamptz not null,
        error text
      );
    `,
  },
];

/**
 * The tree, which can be made again from the log. One row a tile; the last of each level grows, the others stay as they
 * are. Tiles of leaves have the positions of their events, eight bytes each.
 */
const tables = `
  create table if not exists audit_tree (
    only_row boolean primary key default true check (only_row),
    size bigint not null,
    position bigint not null
  );
  create table if not exists audit_tiles (
    level smallint not null,
    index bigint not null,
    hashes bytea not null,
    positions bytea,
    first_position bigint,
    primary key (level, index)
  );
  alter table audit_tiles alter column hashes set storage external;
  alter table audit_tiles alter column positions set storage external;
  create index if not exists audit_tiles_by_position on audit_tiles (first_position) where level = 0;
`;

export const auditTreeMigrations: readonly Migration[] = [{ name: 'audit-001-tree', sql: tables }];

/** One at a time: `if not exists` does not keep two from making the same thing at once. */
export async function ensureAuditTree(pool: Pool): Promise<void> {
  await pool.query(`select pg_advisory_xact_lock(hashtext('audit_tree')); ${tables}`);
}
