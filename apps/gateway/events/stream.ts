import type { Reader } from '../../../infra/outside/document-for.ts';
import {
  type EventFilter,
  type Events,
  isToldTo,
  isWanted,
} from '../../../projections/events/events.ts';
import { type Fact, factOf, type Recent } from './recent.ts';

/** How a stream keeps its time. */
export interface StreamPace {
  /** A comment is sent when there was nothing else for so long. */
  readonly heartbeatMs: number;
  /** How often it is asked again who listens. */
  readonly recheckMs: number;
  /** A client that takes nothing for so long is cut off. */
  readonly stallMs: number;
}

export const usualPace: StreamPace = { heartbeatMs: 15_000, recheckMs: 15_000, stallMs: 60_000 };

export interface StreamOptions {
  readonly recent: Recent;
  readonly events: Events;
  readonly region: string;
  readonly filter: EventFilter;
  /** Facts above this position. */
  readonly after: bigint;
  readonly pace: StreamPace;
  /** Who listens, as of now. Rejects when the stream must end. */
  readonly viewer: () => Promise<Reader>;
  /** Resolves when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  readonly signal: AbortSignal;
}

const pageLimit = 100;
/** What is written at once, in characters, before it is looked whether the client keeps up. */
const pieceWeight = 64 * 1024;

/**
 * Facts one after the other, from `after` on for ever, each once and in order. The stream's own cursor is all that it
 * remembers: whatever the client cannot take yet stays where it is, in memory for everybody or in the read model.
 */
export async function streamFacts(options: StreamOptions): Promise<void> {
  const { recent, filter, pace, write, signal } = options;
  let viewer = await options.viewer();
  let checked = performance.now();
  let spoken = checked;
  let cursor = options.after;
  while (!signal.aborted) {
    const now = performance.now();
    if (now - checked >= pace.recheckMs) {
      viewer = await options.viewer();
      checked = performance.now();
    }
    const { facts, next } = await factsAbove(cursor, viewer, options);
    for (const piece of pieces(facts, viewer)) {
      if (signal.aborted) return;
      await write(piece);
      spoken = performance.now();
    }
    if (next > cursor) cursor = next;
    if (recent.upTo > cursor) continue;
    if (performance.now() - spoken >= pace.heartbeatMs) {
      await write(': still here\n\n');
      spoken = performance.now();
    }
    const silent = performance.now();
    const untilHeartbeat = pace.heartbeatMs - (silent - spoken);
    const untilRecheck = pace.recheckMs - (silent - checked);
    await recent.past(cursor, Math.max(1, Math.min(untilHeartbeat, untilRecheck)), signal);
  }

  async function factsAbove(after: bigint, who: Reader, { events, region }: StreamOptions) {
    const { upTo } = recent;
    const near = recent.since(after);
    if (near !== undefined) {
      const facts = near.filter(({ told }) => isToldTo(told, who) && isWanted(told, filter));
      return { facts, next: upTo };
    }
    const page = await events.page({ viewer: who, filter, after, upTo, limit: pageLimit });
    return { facts: page.events.map((told) => factOf(told, region)), next: page.next };
  }
}

function* pieces(facts: readonly Fact[], viewer: Reader): Generator<string> {
  let piece = '';
  for (const fact of facts) {
    piece += `id: ${fact.told.event.position}\ndata: ${fact.textFor(viewer)}\n\n`;
    if (piece.length < pieceWeight) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
