import type { Pool } from 'pg';
import { withExportTable } from './migrations.ts';

/** Everything up to here has been exported. `eventId` is the event's that is there, null where that is not known. */
export interface Reach {
  readonly position: bigint;
  readonly eventId: string | null;
}

/** One turn of who exports to a target: what it saves counts as long as nobody else has claimed or moved the cursor. */
export interface Claim {
  readonly target: string;
  /** A UUID of this turn's own. */
  readonly owner: string;
  readonly moves: number;
}

export interface Trouble {
  readonly reason: string;
  /** Position of the record that the target does not take; null where that is not the reason. */
  readonly refused: bigint | null;
}

/** How a target is. */
export interface Standing extends Reach {
  readonly target: string;
  readonly exportedAt: Date | null;
  readonly failingSince: Date | null;
  readonly error: string | null;
  readonly refused: bigint | null;
}

export interface Cursors {
  /**
   * Makes this turn the only one whose word counts; gives how far the target is, or makes `otherwise` of that, and why
   * nothing could be exported last, null where it could.
   */
  claim(
    target: string,
    owner: string,
    otherwise: () => Promise<Reach>,
  ): Promise<{ readonly claim: Claim; readonly reach: Reach; readonly error: string | null }>;
  /** Whether it was kept: not where another has claimed or moved the cursor. A row that is gone is made again. */
  save(claim: Claim, reach: Reach): Promise<boolean>;
  /** Keeps why nothing could be exported; whether that counts, as `save`. */
  failed(claim: Claim, reach: Reach, trouble: Trouble): Promise<boolean>;
  isCurrent(claim: Claim): Promise<boolean>;
  /** By hand: whoever is exporting begins anew from there. Whether there is such a target. */
  move(target: string, reach: Reach): Promise<boolean>;
  forget(target: string): Promise<boolean>;
  standings(): Promise<readonly Standing[]>;
}

export const postgresCursors = (pool: Pool): Cursors => ({
  claim: (target, owner, otherwise) =>
    withExportTable(pool, async () => {
      const taken = await pool.query<
        Pick<StandingRow, 'position' | 'event_id' | 'error'> & { readonly moves: number }
      >({
        text: `
          update audit_exports set owner = $2
          where target = $1
          returning moves, position, event_id, error`,
        values: [target, owner],
      });
      const [row] = taken.rows;
      if (row !== undefined) {
        const { moves, position, event_id, error } = row;
        return { claim: { target, owner, moves }, reach: { position, eventId: event_id }, error };
      }
      const reach = await otherwise();
      await pool.query(
        `
        insert into audit_exports (target, owner, moves, position, event_id)
        values ($1, $2, 0, $3, $4)`,
        [target, owner, reach.position, reach.eventId],
      );
      return { claim: { target, owner, moves: 0 }, reach, error: null };
    }),

  save: ({ target, owner, moves }, { position, eventId }) =>
    withExportTable(pool, async () => {
      const { rowCount } = await pool.query({
        name: 'export-save',
        text: `
          insert into audit_exports (target, owner, moves, position, event_id, exported_at)
          values ($1, $2, $3, $4, $5, now())
          on conflict (target) do update
          set position = excluded.position, event_id = excluded.event_id, exported_at = now(),
            failing_since = null, error = null, refused = null
          where audit_exports.owner = excluded.owner and audit_exports.moves = excluded.moves`,
        values: [target, owner, moves, position, eventId],
      });
      return rowCount === 1;
    }),

  failed: ({ target, owner, moves }, { position, eventId }, { reason, refused }) =>
    withExportTable(pool, async () => {
      const { rowCount } = await pool.query({
        name: 'export-failed',
        text: `
          insert into audit_exports
            (target, owner, moves, position, event_id, failing_since, error, refused)
          values ($1, $2, $3, $4, $5, now(), $6, $7)
          on conflict (target) do update
          set failing_since = coalesce(audit_exports.failing_since, now()),
            error = excluded.error, refused = excluded.refused
          where audit_exports.owner = excluded.owner and audit_exports.moves = excluded.moves`,
        values: [target, owner, moves, position, eventId, reason, refused],
      });
      return rowCount === 1;
    }),

  isCurrent: ({ target, owner, moves }) =>
    withExportTable(pool, async () => {
      const { rows } = await pool.query<{ is_current: boolean }>({
        name: 'export-is-current',
        text: `
          select owner = $2 and moves = $3 as is_current
          from audit_exports
          where target = $1`,
        values: [target, owner, moves],
      });
      // A row that somebody removed is made again by what is saved next.
      return rows[0]?.is_current ?? true;
    }),

  move: (target, { position, eventId }) =>
    withExportTable(pool, async () => {
      const { rowCount } = await pool.query(
        `
        update audit_exports
        set position = $2, event_id = $3, moves = moves + 1,
          failing_since = null, error = null, refused = null
        where target = $1`,
        [target, position, eventId],
      );
      return rowCount === 1;
    }),

  forget: (target) =>
    withExportTable(pool, async () => {
      const { rowCount } = await pool.query('delete from audit_exports where target = $1', [
        target,
      ]);
      return rowCount === 1;
    }),

  standings: () =>
    withExportTable(pool, async () => {
      const { rows } = await pool.query<StandingRow>(`
        select target, position, event_id, exported_at, failing_since, error, refused
        from audit_exports
        order by target`);
      return rows.map((row) => ({
        target: row.target,
        position: row.position,
        eventId: row.event_id,
        exportedAt: row.exported_at,
        failingSince: row.failing_since,
        error: row.error,
        refused: row.refused,
      }));
    }),
});

interface StandingRow {
  readonly target: string;
  readonly position: bigint;
  readonly event_id: string | null;
  readonly exported_at: Date | null;
  readonly failing_since: Date | null;
  readonly error: string | null;
  readonly refused: bigint | null;
}
