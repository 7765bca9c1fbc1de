import type pg from 'pg';
import { type Pending, sendBatch } from './append.ts';

export interface GroupCommitLimits {
  /** Batches on their way at once, at most. */
  readonly inFlight: number;
  /** So long one is alone on its way: whatever comes meanwhile goes together, and that is cheaper than two half batches. */
  readonly aloneMs: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Gathers appends while batches are on their way, so that many share one commit. */
export function groupCommit(pool: pg.Pool, limits: GroupCommitLimits) {
  let waiting: Pending[] = [];
  const inFlight = new Set<Promise<void>>();
  let scheduled = false;
  let lastSent = 0;
  let timer: NodeJS.Timeout | undefined;

  /** How long until another may go beside those on their way, which may be held up by somebody. */
  const untilNext = (): number =>
    inFlight.size === 0 ? 0 : lastSent + limits.aloneMs - performance.now();

  const send = (): void => {
    scheduled = false;
    clearTimeout(timer);
    while (waiting.length > 0 && inFlight.size < limits.inFlight) {
      const wait = untilNext();
      if (wait > 0) {
        timer = setTimeout(schedule, wait);
        return;
      }
      lastSent = performance.now();
      const { batch, rest } = nextBatch(waiting, limits);
      waiting = rest;
      const sending = sendBatch(pool, batch).finally(() => {
        inFlight.delete(sending);
        schedule();
      });
      inFlight.add(sending);
    }
  };

  // Not at once: whatever else this turn of the event loop appends goes along.
  const schedule = (): void => {
    if (scheduled || waiting.length === 0) return;
    scheduled = true;
    setImmediate(send);
  };

  return {
    add(pending: Pending): void {
      waiting.push(pending);
      if (inFlight.size < limits.inFlight) schedule();
    },
    /** When everything added so far, or meanwhile, has its answer. */
    async drained(): Promise<void> {
      while (waiting.length > 0 || inFlight.size > 0) {
        if (inFlight.size > 0) await Promise.race(inFlight);
        else await new Promise(setImmediate);
      }
    },
  };
}

/** In the order of asking, as far as the limits go; a stream's second append waits for the next batch. */
function nextBatch(
  waiting: readonly Pending[],
  limits: GroupCommitLimits,
): { batch: Pending[]; rest: Pending[] } {
  const batch: Pending[] = [];
  const rest: Pending[] = [];
  const streams = new Set<string>();
  let events = 0;
  let bytes = 0;
  for (const pending of waiting) {
    events += pending.events.length;
    bytes += pending.bytes;
    const full = batch.length > 0 && (events > limits.maxEvents || bytes > limits.maxBytes);
    if (full || streams.has(pending.streamId)) rest.push(pending);
    else batch.push(pending);
    streams.add(pending.streamId);
  }
  return { batch, rest };
}
