import type pg from 'pg';
import { type Pending, sendBatch } from './append.ts';

export interface GroupCommitLimits {
  /** Batches on their way at once. */
  readonly inFlight: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Gathers appends while batches are on their way, so that many share one commit. */
export function groupCommit(pool: pg.Pool, limits: GroupCommitLimits) {
  let waiting: Pending[] = [];
  const inFlight = new Set<Promise<void>>();
  let scheduled = false;

  const send = (): void => {
    scheduled = false;
    while (waiting.length > 0 && inFlight.size < limits.inFlight) {
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
