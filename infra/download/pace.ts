import { setTimeout as delay } from 'node:timers/promises';

/** A budget of bytes per second that many downloads share. */
export interface Pace {
  /** Resolves when so many bytes more are within the budget. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** Unused budget is not lost at once, but no more of it is kept. */
const keptMs = 250;

/** Lets bytes through in the order in which they ask. */
export function bandwidth(bytesPerSecond: number): Pace {
  /** When everything that was let through is paid for. */
  let paidAt = performance.now();
  return {
    async take(bytes, signal) {
      const now = performance.now();
      paidAt = Math.max(paidAt, now - keptMs) + (bytes / bytesPerSecond) * 1_000;
      if (paidAt > now) await delay(paidAt - now, undefined, { signal });
    },
  };
}

/** As many bytes per second for each key, or any number where that is 0. */
export function bandwidthPerKey(bytesPerSecond: number): (key: string) => Pace {
  if (bytesPerSecond === 0) return () => within();
  const paces = new Map<string, { pace: Pace; users: number }>();
  return (key) => ({
    async take(bytes, signal) {
      const one = paces.get(key) ?? { pace: bandwidth(bytesPerSecond), users: 0 };
      paces.set(key, one);
      one.users += 1;
      try {
        await one.pace.take(bytes, signal);
      } finally {
        one.users -= 1;
        if (one.users === 0 && paces.size > mostIdleKeys) forgetIdle(paces);
      }
    },
  });
}

/** Whoever comes back after being forgotten has unused budget again: for `keptMs`, no more. */
const mostIdleKeys = 1_000;

function forgetIdle(paces: Map<string, { users: number }>): void {
  for (const [key, { users }] of paces) if (users === 0) paces.delete(key);
}

/** Within all of several budgets. */
export const within = (...paces: readonly Pace[]): Pace => ({
  async take(bytes, signal) {
    for (const pace of paces) await pace.take(bytes, signal);
  },
});
