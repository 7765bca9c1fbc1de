import { deadBeat } from './heartbeat.ts';

/** One process's heartbeat as it was read. */
export interface Beat {
  readonly owner: string;
  readonly part: string;
  readonly beat: bigint;
}

interface Watched {
  readonly beat: bigint | null;
  readonly part: string | null;
  /** When the heartbeat was first seen at this value, or the watch began anew. */
  readonly since: number;
  readonly askedAt: number;
}

const forgetAfterMs = 600_000;

/**
 * Tells the dead from the living by readings of all heartbeats; times are one monotonic clock's milliseconds. A reading
 * that failed, or came late, starts every watch again: nobody is dead for our own blindness.
 */
export function judge(leaseMs: number, began: number) {
  const watched = new Map<string, Watched>();
  let lastReading = began;

  const startAgain = (now: number): void => {
    for (const [owner, one] of watched) watched.set(owner, { ...one, since: now });
  };

  return {
    take(beats: readonly Beat[], now: number): void {
      if (now - lastReading > leaseMs / 2) startAgain(now);
      lastReading = now;
      const byOwner = new Map(beats.map((beat) => [beat.owner, beat]));
      for (const [owner, one] of watched) {
        const beat = byOwner.get(owner)?.beat ?? null;
        if (beat === null && now - one.askedAt > forgetAfterMs) watched.delete(owner);
        else if (beat !== one.beat) watched.set(owner, { ...one, beat, since: now });
      }
      for (const { owner, part, beat } of beats) {
        const one = watched.get(owner);
        if (one === undefined) watched.set(owner, { beat, part, since: now, askedAt: now });
        else if (one.part === null) watched.set(owner, { ...one, part });
      }
    },

    failed: startAgain,

    /**
     * Seen to stand still, or to be absent, for a whole lease, or certified to be dead. Asking for the first time
     * starts the watch.
     */
    isDead(owner: string, now: number): boolean {
      const one = watched.get(owner);
      if (one === undefined) {
        watched.set(owner, { beat: null, part: null, since: now, askedAt: now });
        return false;
      }
      watched.set(owner, { ...one, askedAt: now });
      if (one.beat === deadBeat) return true;
      return now - one.since > leaseMs && now - lastReading <= leaseMs / 2;
    },

    /** Owners of a part whose heartbeat moved within the lease. */
    living: (part: string, now: number): readonly string[] =>
      [...watched]
        .filter(
          ([, one]) =>
            one.part === part &&
            one.beat !== null &&
            one.beat !== deadBeat &&
            now - one.since <= leaseMs,
        )
        .map(([owner]) => owner),
  };
}
