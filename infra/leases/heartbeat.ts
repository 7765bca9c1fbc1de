import type { Pool } from 'pg';
import type { Logger } from '../telemetry/logger.ts';
import { withLeases } from './migrations.ts';

export interface Heartbeat {
  /** Ends it and takes the row away, so that nobody waits out a lease. */
  stop(): Promise<void>;
}

export interface HeartbeatOptions {
  readonly owner: string;
  readonly part: string;
  readonly intervalMs: number;
  readonly log: Logger;
  /** The process's metrics as prom-client gives them in JSON; they travel with every fourth beat. */
  readonly metrics?: () => Promise<readonly object[]>;
}

/**
 * Shows that `owner` lives, `intervalMs` apart (a quarter of the lease is usual). A failed beat is only logged, and none
 * begins while another is under way.
 */
export function startHeartbeat(
  pool: Pool,
  { owner, part, intervalMs, log, metrics }: HeartbeatOptions,
): Heartbeat {
  let beats = 0;
  const write = async (): Promise<void> => {
    const snapshot = metrics !== undefined && beats % 4 === 0 ? await metrics() : undefined;
    beats += 1;
    const values = [owner, part, snapshot === undefined ? null : JSON.stringify(snapshot)];
    await withLeases(pool, () =>
      pool.query({
        name: 'heartbeat',
        text: `
          insert into heartbeats (owner, part, beat, metrics)
          values ($1, $2, 1, $3)
          on conflict (owner) do update
          set beat = heartbeats.beat + 1,
            beaten_at = now(),
            metrics = coalesce(excluded.metrics, heartbeats.metrics)`,
        values,
      }),
    );
  };

  let beating: Promise<void> | undefined;
  const beat = (): void => {
    beating ??= write()
      .catch((error) => log.warn({ err: error }, 'a heartbeat could not be written'))
      .finally(() => {
        beating = undefined;
      });
  };
  const timer = setInterval(beat, intervalMs);
  beat();
  const forgetting = forget(pool).catch(() => {});
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all([beating, forgetting]);
      await pool.query('delete from heartbeats where owner = $1', [owner]).catch(() => {});
    },
  };
}

/** Who has not beaten for an hour is known to be dead by everybody who asks. */
async function forget(pool: Pool): Promise<void> {
  await pool.query("delete from heartbeats where beaten_at < now() - interval '1 hour'");
}

/** What `certifyDeath` leaves for a beat. */
export const deadBeat = -1n;

/** For who has seen the process end, as its parent does: nobody need wait out its lease. */
export async function certifyDeath(pool: Pool, owner: string): Promise<void> {
  await withLeases(pool, () =>
    pool.query(
      `
        insert into heartbeats (owner, part, beat)
        values ($1, '', $2)
        on conflict (owner) do update
        set beat = excluded.beat`,
      [owner, deadBeat],
    ),
  );
}

/** The newest metrics of every process of these parts that beat within `withinMs`, for one page that shows them all. */
export async function metricsOfParts(
  pool: Pool,
  parts: readonly string[],
  withinMs: number,
): Promise<readonly (readonly object[])[]> {
  const { rows } = await pool.query<{ metrics: readonly object[] }>(
    `
      select metrics
      from heartbeats
      where part = any ($1)
        and beat >= 0
        and metrics is not null
        and beaten_at > now() - $2 * interval '1 millisecond'`,
    [parts, withinMs],
  );
  return rows.map(({ metrics }) => metrics);
}
