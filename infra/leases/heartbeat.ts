import type { Pool } from 'pg';
import type { Logger } from '../telemetry/logger.ts';

export interface Heartbeat {
  /** Ends it and takes the row away, so that nobody waits out a lease. */
  stop(): Promise<void>;
}

/** Shows that `owner` lives, `intervalMs` apart (a quarter of the lease is usual). A failed beat is only logged. */
export function startHeartbeat(
  pool: Pool,
  {
    owner,
    part,
    intervalMs,
    log,
  }: { owner: string; part: string; intervalMs: number; log: Logger },
): Heartbeat {
  let beating: Promise<void> = Promise.resolve();
  const beat = async (): Promise<void> => {
    try {
      await pool.query({
        name: 'heartbeat',
        text: `
          insert into heartbeats (owner, part, beat)
          values ($1, $2, 1)
          on conflict (owner) do update
          set beat = heartbeats.beat + 1, beaten_at = now()`,
        values: [owner, part],
      });
    } catch (error) {
      log.warn({ err: error }, 'a heartbeat could not be written');
    }
  };
  const timer = setInterval(() => {
    beating = beating.then(beat);
  }, intervalMs);
  beating = beat();
  return {
    async stop() {
      clearInterval(timer);
      await beating;
      await pool.query('delete from heartbeats where owner = $1', [owner]).catch(() => {});
    },
  };
}
