import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from '../telemetry/logger.ts';
import { type Beat, judge } from './judge.ts';
import { withLeases } from './migrations.ts';

export interface DeathWatch {
  /**
   * Whether this watcher has itself seen the owner's heartbeat stand still, or be absent, for a whole lease while it
   * could read the heartbeats; or its parent saw it end. Asking about an owner for the first time starts the watch on it.
   */
  isDead(owner: string): boolean;
  /** Owners of a part whose heartbeat moved within the lease. */
  living(part: string): readonly string[];
  stop(): Promise<void>;
}

/** Reads every heartbeat, eight times in a lease. */
export function deathWatch(
  pool: Pool,
  { leaseMs, log }: { leaseMs: number; log: Logger },
): DeathWatch {
  const judging = judge(leaseMs, performance.now());
  const stopping = new AbortController();

  const read = async (): Promise<readonly Beat[]> => {
    const { rows } = await pool.query<{ owner: string; part: string; beat: string | bigint }>({
      name: 'heartbeats',
      text: 'select owner, part, beat from heartbeats',
    });
    return rows.map((row) => ({ ...row, beat: BigInt(row.beat) }));
  };

  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        judging.take(await withLeases(pool, read), performance.now());
      } catch (error) {
        judging.failed(performance.now());
        log.warn({ err: error }, 'heartbeats cannot be read');
      }
      await delay(leaseMs / 8, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const watching = watch();

  return {
    isDead: (owner) => judging.isDead(owner, performance.now()),
    living: (part) => judging.living(part, performance.now()),
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}
