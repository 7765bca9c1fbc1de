import type { Pool } from 'pg';
import type { Logger } from '../telemetry/logger.ts';

export interface DeathWatch {
  /**
   * Whether this watcher has itself seen the owner's heartbeat stand still, or be absent, for a whole lease while it
   * could read the heartbeats. Asking about an owner for the first time starts the watch on it.
   */
  isDead(owner: string): boolean;
  /** Owners of a part whose heartbeat moved within the lease. */
  living(part: string): readonly string[];
  stop(): Promise<void>;
}

interface Watched {
  beat: bigint | null;
  part: string | null;
  /** Monotonic clock, when this watcher first saw the beat at this value. */
  since: number;
  askedAt: number;
}

const forgetAfterMs = 600_000;

/** Watches every heartbeat. A reading that failed, or came late, starts every watch again: nobody is dead for our own blindness. */
export function deathWatch(
  pool: Pool,
  {
    leaseMs,
    log,
    now = () => performance.now(),
  }: { leaseMs: number; log: Logger; now?: () => number },
): DeathWatch {
  const watched = new Map<string, Watched>();
  const pollMs = leaseMs / 8;
  let lastReading = now();
  let stopped = false;

  const restart = (): void => {
    for (const one of watched.values()) one.since = now();
  };

  const read = async (): Promise<void> => {
    const { rows } = await pool.query<{ owner: string; part: string; beat: string | bigint }>({
      name: 'heartbeats',
      text: 'select owner, part, beat from heartbeats',
    });
    if (now() - lastReading > leaseMs / 2) restart();
    lastReading = now();
    const beats = new Map(
      rows.map(({ owner, part, beat }) => [owner, { part, beat: BigInt(beat) }]),
    );
    for (const [owner, one] of watched) {
      const seen = beats.get(owner);
      if (seen === undefined && now() - one.askedAt > forgetAfterMs) watched.delete(owner);
      if ((seen?.beat ?? null) === one.beat) continue;
      watched.set(owner, {
        ...one,
        beat: seen?.beat ?? null,
        part: seen?.part ?? one.part,
        since: now(),
      });
    }
    for (const [owner, { part, beat }] of beats)
      if (!watched.has(owner)) watched.set(owner, { beat, part, since: now(), askedAt: now() });
  };

  const loop = async (): Promise<void> => {
    while (!stopped) {
      try {
        await read();
      } catch (error) {
        restart();
        log.warn({ err: error }, 'heartbeats cannot be read');
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  };
  const running = loop();

  return {
    isDead(owner) {
      const one = watched.get(owner);
      if (one === undefined) {
        watched.set(owner, { beat: null, part: null, since: now(), askedAt: now() });
        return false;
      }
      one.askedAt = now();
      return now() - one.since > leaseMs && now() - lastReading < leaseMs / 2;
    },
    living: (part) =>
      [...watched]
        .filter(([, one]) => one.part === part && one.beat !== null && now() - one.since <= leaseMs)
        .map(([owner]) => owner),
    async stop() {
      stopped = true;
      await running;
    },
  };
}
