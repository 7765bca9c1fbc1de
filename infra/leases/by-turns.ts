import { setTimeout as delay } from 'node:timers/promises';
import type { Lease } from './lease.ts';

export interface Turns<Seen> {
  readonly lease: Lease;
  readonly stopping: AbortSignal;
  /** How often a standby looks at the lease. */
  readonly pollMs?: number | undefined;
  /** What there is to do, before each turn and while another has it. */
  look(): Promise<Seen>;
  /** Under the lease, for as long as it goes well. That it is lost is for the work to notice. */
  work(seen: Seen): Promise<void>;
  standBy?(): void;
  /** Why a turn ended; the next comes after a pause, or at once. */
  failed(error: unknown): 'pause' | 'at once';
}

const firstPauseMs = 50;
const longestPauseMs = 2_000;
/** A turn that went on for so long did not fail at its start. */
const settledAfterMs = 5_000;

/**
 * One turn after the other while the lease is ours, until it is asked to stop; then gives the lease up. Pauses grow with
 * each turn that fails at its start.
 */
export async function byTurns<Seen>({
  lease,
  stopping,
  pollMs = 200,
  look,
  work,
  standBy,
  failed,
}: Turns<Seen>): Promise<void> {
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping }).catch(() => {});
  let pauseMs = firstPauseMs;
  while (!stopping.aborted) {
    const began = performance.now();
    try {
      const seen = await look();
      if (await lease.tryHold()) await work(seen);
      else {
        standBy?.();
        await pause(pollMs);
      }
      pauseMs = firstPauseMs;
    } catch (error) {
      if (stopping.aborted) break;
      if (performance.now() - began > settledAfterMs) pauseMs = firstPauseMs;
      if (failed(error) === 'at once') continue;
      await pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    }
  }
  await lease.release().catch(() => {});
}
