import type { Pool } from 'pg';
import type { TreeHead } from './checkpoint.ts';

/** A head of the tree that was signed, and will never be signed otherwise. */
export interface SignedHead extends TreeHead {
  /** Of the last event in it. */
  readonly position: bigint;
  /** The signed note. */
  readonly note: string;
  readonly signedAt: Date;
}

export interface KnownKey {
  readonly verifierKey: string;
  /** It signs trees of this size and larger ones. */
  readonly fromSize: number;
  /** Signed by the key before it; null for the first, and for one that had to do without. */
  readonly handOver: string | null;
  readonly since: Date;
}

export interface Watch {
  /** What is wrong, for people; null where nothing is known to be. */
  readonly alarm: string | null;
  readonly alarmedAt: Date | null;
  /** When the whole log was last found to be what was signed, and up to which size. */
  readonly checkedAt: Date | null;
  readonly checkedSize: number | null;
}

export interface Delivery {
  readonly target: string;
  readonly size: number;
  readonly sentAt: Date;
  /** Of the last attempt; null where it worked. */
  readonly error: string | null;
}

/** What the audit remembers beside the log: the log can be made other than it was, this says what it was. */
export interface AuditMemory {
  newest(): Promise<SignedHead | undefined>;
  at(size: number): Promise<SignedHead | undefined>;
  /** The smallest first: the newest thousand, and of older ones one an hour. */
  heads(): Promise<readonly TreeHead[]>;
  remember(head: Omit<SignedHead, 'signedAt'>): Promise<void>;
  /** The first that ever signed first. */
  keys(): Promise<readonly KnownKey[]>;
  addKey(key: Omit<KnownKey, 'since'>): Promise<void>;
  watch(): Promise<Watch>;
  raise(alarm: string): Promise<void>;
  /** The whole log is what was signed: an alarm is over. */
  checked(size: number): Promise<void>;
  deliveries(): Promise<readonly Delivery[]>;
  delivered(target: string, size: number, error: string | null): Promise<void>;
}

interface HeadRow {
  readonly size: bigint;
  readonly root: Buffer;
  readonly position: bigint;
  readonly note: string;
  readonly signed_at: Date;
}

const headFrom = ({ size, root, position, note, signed_at }: HeadRow): SignedHead => ({
  size: Number(size),
  root,
  position,
  note,
  signedAt: signed_at,
});

const mostCompared = 1_000;

const headColumns = 'size, root, position, note, signed_at';

export function postgresAuditMemory(pool: Pool): AuditMemory {
  return {
    async newest() {
      const { rows } = await pool.query<HeadRow>(
        `select ${headColumns} from audit_checkpoints order by size desc limit 1`,
      );
      return rows.map(headFrom)[0];
    },

    async at(size) {
      const { rows } = await pool.query<HeadRow>(
        `select ${headColumns} from audit_checkpoints where size = $1`,
        [size],
      );
      return rows.map(headFrom)[0];
    },

    async heads() {
      const { rows } = await pool.query<Pick<HeadRow, 'size' | 'root'>>(
        `
        select size, root from audit_checkpoints
        where lasting or size >= all (
          select size from audit_checkpoints order by size desc offset $1 limit 1
        )
        order by size`,
        [mostCompared],
      );
      return rows.map(({ size, root }) => ({ size: Number(size), root }));
    },

    async remember({ size, root, position, note }) {
      await pool.query({
        name: 'audit-remember',
        text: `
          with passed as (
            delete from audit_checkpoints where not lasting and signed_at < now() - interval '1 day'
          )
          insert into audit_checkpoints (size, root, position, note, lasting)
          select $1, $2, $3, $4, not exists (
            select from audit_checkpoints
            where lasting and signed_at >= date_trunc('hour', now())
          )
          on conflict (size) do update
          set note = excluded.note
          where audit_checkpoints.root = excluded.root`,
        values: [size, Buffer.from(root), String(position), note],
      });
    },

    async keys() {
      const { rows } = await pool.query<{
        verifier_key: string;
        from_size: bigint;
        hand_over: string | null;
        since: Date;
      }>('select verifier_key, from_size, hand_over, since from audit_keys order by number');
      return rows.map((row) => ({
        verifierKey: row.verifier_key,
        fromSize: Number(row.from_size),
        handOver: row.hand_over,
        since: row.since,
      }));
    },

    async addKey({ verifierKey, fromSize, handOver }) {
      await pool.query(
        'insert into audit_keys (verifier_key, from_size, hand_over) values ($1, $2, $3)',
        [verifierKey, fromSize, handOver],
      );
    },

    async watch() {
      const { rows } = await pool.query<{
        alarm: string | null;
        alarmed_at: Date | null;
        checked_at: Date | null;
        checked_size: bigint | null;
      }>('select alarm, alarmed_at, checked_at, checked_size from audit_watch');
      const [row] = rows;
      return {
        alarm: row?.alarm ?? null,
        alarmedAt: row?.alarmed_at ?? null,
        checkedAt: row?.checked_at ?? null,
        checkedSize: row?.checked_size == null ? null : Number(row.checked_size),
      };
    },

    async raise(alarm) {
      await pool.query(
        `
        update audit_watch
        set alarmed_at = case when alarm = $1 then alarmed_at else now() end, alarm = $1`,
        [alarm],
      );
    },

    async checked(size) {
      await pool.query(
        `
        update audit_watch
        set alarm = null, alarmed_at = null, checked_at = now(), checked_size = $1`,
        [size],
      );
    },

    async deliveries() {
      const { rows } = await pool.query<{
        target: string;
        size: bigint;
        sent_at: Date;
        error: string | null;
      }>('select target, size, sent_at, error from audit_targets order by target');
      return rows.map(({ target, size, sent_at, error }) => ({
        target,
        size: Number(size),
        sentAt: sent_at,
        error,
      }));
    },

    async delivered(target, size, error) {
      await pool.query(
        `
        insert into audit_targets (target, size, sent_at, error)
        values ($1, case when $3::text is null then $2::bigint else 0 end, now(), $3)
        on conflict (target) do update
        set size = case when $3::text is null then $2::bigint else audit_targets.size end,
          sent_at = case when $3::text is null then now() else audit_targets.sent_at end,
          error = $3`,
        [target, size, error],
      );
    },
  };
}
