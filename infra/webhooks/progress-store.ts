import type { Pool } from 'pg';
import type { Failing, Saved } from '../../domain/webhook/progress.ts';
import { withProgressTables } from './migrations.ts';

/** One attempt to tell an endpoint something. */
export interface Attempt {
  readonly eventId: string;
  /** Null for what is no fact of the log: a test. */
  readonly position: bigint | null;
  readonly type: string;
  readonly at: Date;
  /** 1 for the first. */
  readonly attempt: number;
  readonly tookMs: number;
  readonly status: number | null;
  readonly error: string | null;
  /** Somebody asked for it. */
  readonly manual: boolean;
}

export interface KeptAttempt extends Attempt {
  readonly number: bigint;
}

export interface Kept {
  /** As the log had them when it was kept. */
  readonly moves: number;
  readonly revivals: number;
  readonly saved: Saved;
  /** Deliveries since the log was told last. */
  readonly unacknowledged: number;
}

export interface AttemptQuery {
  readonly eventId?: string | undefined;
  readonly delivered?: boolean | undefined;
  /** Number of the last attempt of the page before. */
  readonly below?: bigint | undefined;
  readonly limit: number;
}

/** How far one endpoint was told, for `daguerre status` and for metrics. */
export interface Standing {
  readonly webhookId: string;
  readonly cursor: bigint;
  readonly failing: number;
  readonly deliveredAt: Date | null;
}

/** What became of deliveries. All of it can be lost: see `migrations.ts`. */
export interface ProgressStore {
  /** Makes `owner` the one who may save; gives what the last one kept, if anything. */
  claim(webhookId: string, owner: string, otherwise: Kept): Promise<Kept>;
  /** Keeps both, together. False when another has claimed it since: nothing is kept then. */
  save(
    webhookId: string,
    owner: string,
    kept: Kept,
    attempts: readonly Attempt[],
  ): Promise<boolean>;
  record(webhookId: string, attempt: Attempt): Promise<void>;
  /** The newest first. */
  attempts(webhookId: string, query: AttemptQuery): Promise<readonly KeptAttempt[]>;
  standings(): Promise<readonly Standing[]>;
  /** Forgets old attempts, and all about webhooks that are none of these. */
  prune(webhookIds: readonly string[]): Promise<void>;
}

export interface PruneBounds {
  readonly days: number;
  /** Attempts of each endpoint. */
  readonly attempts: number;
}
const usualBounds: PruneBounds = { days: 14, attempts: 100_000 };

interface ProgressRow {
  readonly moves: number;
  readonly revivals: number;
  readonly cursor: bigint;
  readonly ahead: readonly string[];
  readonly failing: readonly (Omit<Failing, 'position'> & { position: string })[];
  readonly refusals: number;
  readonly unacknowledged: number;
}

const attemptColumns =
  'event_id uuid, position bigint, type text, at timestamptz, attempt integer, took_ms integer, status integer, error text, manual boolean';
const attemptNames = attemptColumns.replace(/(\w+) [a-z]+/g, '$1');

export function postgresProgress(pool: Pool, bounds = usualBounds): ProgressStore {
  return {
    claim: (webhookId, owner, otherwise) =>
      withProgressTables(pool, async () => {
        const { rows } = await pool.query<ProgressRow>({
          name: 'webhook-claim',
          text: `
            insert into webhook_progress (webhook_id, owner, ${keptNames})
            values ($1, $2, ${keptValues(3)})
            on conflict (webhook_id) do update
            set owner = excluded.owner
            returning moves, revivals, cursor, ahead::text[], failing, refusals, unacknowledged`,
          values: [webhookId, owner, ...valuesOf(otherwise)],
        });
        const [row] = rows;
        return row === undefined ? otherwise : keptFrom(row);
      }),

    save: (webhookId, owner, kept, attempts) =>
      withProgressTables(pool, async () => {
        const delivered = attempts.filter(isDelivered).at(-1);
        // A row that somebody has removed is made again: what is in our hands is newer than what the log says.
        const { rowCount } = await pool.query({
          name: 'webhook-save',
          text: `
            with kept as (
              insert into webhook_progress (webhook_id, owner, ${keptNames}, delivered_at)
              values ($1, $2, ${keptValues(3)}, $11::timestamptz)
              on conflict (webhook_id) do update
              set (${keptNames}, delivered_at) = (
                ${keptNames.replace(/\w+/g, 'excluded.$&')},
                coalesce(excluded.delivered_at, webhook_progress.delivered_at)
              )
              where webhook_progress.owner = excluded.owner
              returning webhook_id
            ),
            recorded as (
              insert into webhook_deliveries (webhook_id, ${attemptNames})
              select webhook_id, ${attemptNames}
              from kept, json_to_recordset($10::json) as row (${attemptColumns})
            )
            select from kept`,
          values: [
            webhookId,
            owner,
            ...valuesOf(kept),
            JSON.stringify(attempts.map(rowOf)),
            delivered?.at ?? null,
          ],
        });
        return rowCount === 1;
      }),

    record: (webhookId, attempt) =>
      withProgressTables(pool, async () => {
        await pool.query({
          name: 'webhook-record',
          text: `
            insert into webhook_deliveries (webhook_id, ${attemptNames})
            select $1, ${attemptNames} from json_to_recordset($2::json) as row (${attemptColumns})`,
          values: [webhookId, JSON.stringify([rowOf(attempt)])],
        });
      }),

    attempts: (webhookId, { eventId, delivered, below, limit }) =>
      withProgressTables(pool, async () => {
        const { rows } = await pool.query<AttemptRow>({
          name: 'webhook-attempts',
          text: `
            select number, ${attemptNames}
            from webhook_deliveries
            where webhook_id = $1
              and ($2::uuid is null or event_id = $2::uuid)
              and ($3::boolean is null or coalesce(status between 200 and 299, false) = $3::boolean)
              and ($4::bigint is null or number < $4::bigint)
            order by number desc
            limit $5::integer`,
          values: [webhookId, eventId ?? null, delivered ?? null, below ?? null, limit],
        });
        return rows.map(attemptFrom);
      }),

    standings: () =>
      withProgressTables(pool, async () => {
        const { rows } = await pool.query<{
          webhook_id: string;
          cursor: bigint;
          failing: number;
          delivered_at: Date | null;
        }>(`
          select webhook_id, cursor, json_array_length(failing) as failing, delivered_at
          from webhook_progress
          order by webhook_id`);
        return rows.map((row) => ({
          webhookId: row.webhook_id,
          cursor: row.cursor,
          failing: row.failing,
          deliveredAt: row.delivered_at,
        }));
      }),

    prune: (webhookIds) =>
      withProgressTables(pool, async () => {
        await pool.query('delete from webhook_progress where webhook_id <> all ($1::text[])', [
          webhookIds,
        ]);
        await pool.query('delete from webhook_deliveries where webhook_id <> all ($1::text[])', [
          webhookIds,
        ]);
        for (const webhookId of webhookIds)
          await pool.query(
            `
            delete from webhook_deliveries
            where webhook_id = $1 and (
              at < now() - $2::integer * interval '1 day'
              or number <= (
                select number from webhook_deliveries
                where webhook_id = $1
                order by number desc
                offset $3::integer limit 1
              )
            )`,
            [webhookId, bounds.days, bounds.attempts],
          );
      }),
  };
}

const keptNames = 'moves, revivals, cursor, ahead, failing, refusals, unacknowledged';
const keptTypes = ['integer', 'integer', 'bigint', 'bigint[]', 'json', 'integer', 'integer'];
const keptValues = (first: number): string =>
  keptTypes.map((type, index) => `$${first + index}::${type}`).join(', ');

const valuesOf = ({ moves, revivals, saved, unacknowledged }: Kept): readonly unknown[] => [
  moves,
  revivals,
  saved.cursor,
  saved.ahead.map(String),
  JSON.stringify(saved.failing.map((one) => ({ ...one, position: String(one.position) }))),
  saved.refusals,
  unacknowledged,
];

const keptFrom = (row: ProgressRow): Kept => ({
  moves: row.moves,
  revivals: row.revivals,
  unacknowledged: row.unacknowledged,
  saved: {
    cursor: row.cursor,
    ahead: row.ahead.map(BigInt),
    failing: row.failing.map((one) => ({ ...one, position: BigInt(one.position) })),
    refusals: row.refusals,
  },
});

export const isDelivered = ({ status }: Pick<Attempt, 'status'>): boolean =>
  status !== null && status >= 200 && status < 300;

const rowOf = (attempt: Attempt) => ({
  event_id: attempt.eventId,
  position: attempt.position === null ? null : String(attempt.position),
  type: attempt.type,
  at: attempt.at,
  attempt: attempt.attempt,
  took_ms: attempt.tookMs,
  status: attempt.status,
  error: attempt.error,
  manual: attempt.manual,
});

interface AttemptRow
  extends Pick<Attempt, 'type' | 'at' | 'attempt' | 'status' | 'error' | 'manual'> {
  readonly number: bigint;
  readonly event_id: string;
  readonly position: bigint | null;
  readonly took_ms: number;
}

const attemptFrom = ({ event_id, took_ms, ...row }: AttemptRow): KeptAttempt => ({
  ...row,
  eventId: event_id,
  tookMs: took_ms,
});
