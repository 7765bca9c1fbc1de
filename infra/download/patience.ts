import { setTimeout as delay } from 'node:timers/promises';
import { type Setback, SourceUnavailable } from './failures.ts';

/** How long a download goes on without getting on, and how soon it tries again. */
export interface Patience {
  /** There are bytes that were not there before. */
  progressed(): void;
  /** Waits for the next try. Rejects with `SourceUnavailable` where it would come too late, or with the signal's reason. */
  wait(after: Setback): Promise<void>;
}

const longestPauseMs = 30_000;

export interface PatienceOptions {
  readonly patienceMs: number;
  readonly firstPauseMs: number;
  readonly signal: AbortSignal;
  /** Told before each pause. */
  tell(problem: string, pauseMs: number): void;
  readonly random?: () => number;
}

export function patience(options: PatienceOptions): Patience {
  const { patienceMs, firstPauseMs, signal, tell, random = Math.random } = options;
  let since = performance.now();
  let tries = 0;
  return {
    progressed() {
      since = performance.now();
      tries = 0;
    },
    async wait(after) {
      const longest = Math.min(firstPauseMs * 2 ** tries, longestPauseMs);
      tries += 1;
      // Not all at the same instant, where many wait for one server.
      const pauseMs = Math.max(longest * (0.5 + random() / 2), after.retryAfterMs ?? 0);
      const patience = Math.min(patienceMs, after.patienceMs);
      const leftMs = since + patience - performance.now();
      if (pauseMs > leftMs) throw unavailable(after, patience, performance.now() - since);
      tell(after.message, pauseMs);
      await delay(pauseMs, undefined, { signal });
    },
  };
}

function unavailable(after: Setback, patienceMs: number, sinceMs: number): SourceUnavailable {
  const asksFor = after.retryAfterMs;
  const why =
    asksFor !== null && asksFor > patienceMs
      ? `it asks to be left alone for ${Math.ceil(asksFor / 1000)} s`
      : `nothing came for ${Math.round(sinceMs / 1000)} s`;
  return new SourceUnavailable(`${after.message}, and ${why}: import the image again later`, after);
}
