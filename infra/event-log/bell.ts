/** Wakes whoever waits. Note `rings` before looking, wait past it after: no ring in between is missed. */
export interface Bell {
  ring(): void;
  readonly rings: number;
  /** Until it has rung more often than `rings`, `waitMs` have passed or the signal aborts, whichever is first. */
  past(rings: number, waitMs: number, signal: AbortSignal): Promise<void>;
}

export function bell(): Bell {
  let rings = 0;
  const waiting = new Set<() => void>();
  /** Listened to once each, however often somebody waits with them. */
  const signals = new WeakSet<AbortSignal>();
  const wakeAll = (): void => {
    for (const wake of waiting) wake();
  };
  return {
    ring() {
      rings += 1;
      wakeAll();
    },
    get rings() {
      return rings;
    },
    past(seen, waitMs, signal) {
      return new Promise((resolve) => {
        if (signal.aborted || rings > seen) return resolve();
        const wake = (): void => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, waitMs);
        waiting.add(wake);
        if (signals.has(signal)) return;
        signals.add(signal);
        // Who waits with another signal looks once for nothing.
        signal.addEventListener('abort', wakeAll, { once: true });
      });
    },
  };
}
