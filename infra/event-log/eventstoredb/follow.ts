import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../postgres/log.ts';
import { backlog } from './backlog.ts';
import type { Client } from './client.ts';
import { bytesOf, type Kept, positionOf } from './events.ts';
import { isBadPosition } from './failures.ts';
import { answers, type Place, placeAt, subscription } from './reads.ts';

export interface Following {
  readonly client: Client;
  readonly after: bigint;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The place of the last event up to a position that is no event's own. */
  readonly placeUpTo: (position: bigint) => Promise<Place | 'start'>;
}

/** What is fetched ahead of who follows; the last event may pass the bytes. */
const limits = { items: 1_000, bytes: 8 * 1024 * 1024 };
const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * Events above `after`, for ever, in batches: all that came while the last batch was worked on. One side subscribes and
 * puts by, the other gives out.
 *
 *     subscribed ── event, checkpoint ──→ subscribed, further on
 *         │ lost, refused, server gone         (while the backlog is full, nothing is read: the server waits)
 *         ↓
 *       pausing ──→ subscribed again, after the last event or checkpoint that came
 *
 * Nothing is remembered outside this call, so a crash costs nothing.
 */
export async function* following(options: Following): AsyncGenerator<readonly Kept[]> {
  const left = new AbortController();
  const signal = AbortSignal.any([options.signal, left.signal]);
  const coming = backlog<Kept>(limits, signal);
  const subscribing = subscribe({ ...options, signal }, coming.put).catch(coming.fail);
  try {
    for (;;) {
      const batch = await coming.takeAll();
      if (batch.length === 0) return;
      yield batch;
    }
  } finally {
    left.abort();
    await subscribing;
  }
}

async function subscribe(
  { client, after, signal, log, placeUpTo }: Following,
  put: (kept: Kept, bytes: number) => Promise<void>,
): Promise<void> {
  let last = after;
  let from: Place | 'start' = after === 0n ? 'start' : placeAt(after);
  let pauseMs = firstPauseMs;

  while (!signal.aborted)
    try {
      for await (const answer of answers(client, subscription(from), {
        requiresLeader: false,
        signal,
      })) {
        pauseMs = firstPauseMs;
        const kept = answer.getEvent()?.getEvent();
        if (kept !== undefined) {
          const position = positionOf(kept);
          if (position <= last) continue;
          last = position;
          from = placeAt(position);
          await put(kept, bytesOf(kept));
        }
        const checkpoint = answer.getCheckpoint();
        if (checkpoint === undefined) continue;
        const commit = BigInt(checkpoint.getCommitPosition());
        if (commit > last) from = { commit, prepare: BigInt(checkpoint.getPreparePosition()) };
      }
      if (!signal.aborted) throw new Error('EventStoreDB ended the subscription');
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error, last: String(last) }, 'cannot follow the log; trying again');
      if (isBadPosition(error)) from = await placeUpTo(last).catch(() => from);
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    }
}
