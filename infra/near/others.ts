/** A process that answers from memory, as its row was read. */
export interface Holder {
  readonly owner: string;
  /** Rises while it lives; below 0 it has given up. */
  readonly beat: bigint;
  /** What it has heard of the log. */
  readonly heard: bigint;
}

/** All in milliseconds, by clocks that never go back. */
export interface HolderTimes {
  /** Between two beats, which are looks at the others, too. */
  readonly beatMs: number;
  /** How long a holder trusts its last beat, from when it sent it. */
  readonly trustMs: number;
  /** How long a writer trusts its last look, from when it sent it. */
  readonly lookMs: number;
  /** How long a new holder waits until every writer has looked again: more than `lookMs`. */
  readonly settleMs: number;
}

export const usualTimes: HolderTimes = {
  beatMs: 250,
  trustMs: 2_000,
  lookMs: 1_000,
  settleMs: 1_500,
};

interface Seen {
  readonly beat: bigint;
  readonly heard: bigint;
  /** When this beat was first seen. */
  readonly at: number;
}

/**
 * Which other processes answer from memory, as far as one that must wait for them knows. One is waited for until it has
 * been seen to stand still, or to be absent, for `trustMs` after its beat was seen here, which was after it was sent; and
 * for as long again as a look may be old, since its next beat may have come at the last moment and not be seen yet.
 */
export function others({ trustMs, lookMs }: Pick<HolderTimes, 'trustMs' | 'lookMs'>) {
  const seen = new Map<string, Seen>();
  let lookedAt = Number.NEGATIVE_INFINITY;

  const isTrusted = ({ beat, at }: Seen, now: number): boolean =>
    beat >= 0n && now - at <= trustMs + lookMs;

  return {
    /** Every row but our own; the look was sent at `asked` and is here at `now`. */
    take(holders: readonly Holder[], asked: number, now: number): void {
      lookedAt = asked;
      for (const { owner, beat, heard } of holders) {
        const before = seen.get(owner);
        const at = before === undefined || before.beat !== beat ? now : before.at;
        seen.set(owner, { beat, at, heard: later(heard, before?.heard) });
      }
      // One that stands still is remembered while its row is there: forgotten, it would be waited for as if it were new.
      const there = new Set(holders.map(({ owner }) => owner));
      for (const [owner, one] of seen)
        if (!there.has(owner) && !isTrusted(one, now)) seen.delete(owner);
    },
    heard(owner: string, position: bigint): void {
      const one = seen.get(owner);
      if (one !== undefined) seen.set(owner, { ...one, heard: later(position, one.heard) });
    },
    /** Whether a holder that we do not know of cannot be answering from memory yet. */
    isFresh: (now: number): boolean => now - lookedAt <= lookMs,
    living: (now: number): readonly string[] =>
      [...seen].filter(([, one]) => isTrusted(one, now)).map(([owner]) => owner),
    allHeard(position: bigint, now: number): boolean {
      for (const one of seen.values())
        if (one.heard < position && isTrusted(one, now)) return false;
      return true;
    },
  };
}

const later = (a: bigint, b: bigint | undefined): bigint => (b !== undefined && b > a ? b : a);
