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
  return {
    ring() {
      rings += 1;
      for (const wake of waiting) wake();
    },
    get rings() {
      return rings;
    },
    past(seen, waitMs, signal) {
      return new Promise((resolve) => {
        if (signal.aborted || rings > seen) return resolve();
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, waitMs);
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
  };
}
