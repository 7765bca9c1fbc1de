import { setTimeout as delay } from 'node:timers/promises';
import type { Viewer } from '../../../domain/image/visibility.ts';
import { bell } from '../../../infra/event-log/bell.ts';
import { withoutTrace } from '../../../infra/outside/cloud-event.ts';
import {
  documentFor,
  documentOf,
  hiddenIn,
  isTraceFor,
  type Reader,
} from '../../../infra/outside/document-for.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Events, Told } from '../../../projections/events/events.ts';
import { NotYetVisible, type Visible } from '../../../projections/images/images.ts';

/** A fact with its document, which is written once for all streams that carry it whole. */
export interface Fact {
  readonly told: Told;
  /** JSON. */
  textFor(reader: Reader): string;
  /** Characters that it keeps in memory. */
  readonly weight: number;
}

export function factOf(told: Told, region: string): Fact {
  const document = documentOf(told, region);
  const whole = JSON.stringify(document);
  let bare: string | undefined;
  return {
    told,
    weight: 3 * whole.length,
    textFor(reader) {
      if (hiddenIn(document, reader).length > 0)
        return JSON.stringify(documentFor(told, reader, region));
      if (isTraceFor(told, reader)) return whole;
      bare ??= JSON.stringify(withoutTrace(document));
      return bare;
    },
  };
}

/** The newest facts, read once for all streams. */
export interface Recent {
  /** Resolves once it is known where the log's facts end now; gives the function that says goodbye. */
  join(): Promise<() => void>;
  /** Every fact up to here can be had: above `since`'s reach from here, below it from the read model. */
  readonly upTo: bigint;
  /** All facts above `after` and up to `upTo`; undefined when they are not all in memory any more. */
  since(after: bigint): readonly Fact[] | undefined;
  /** Until `upTo` is above `after`, `waitMs` have passed or the signal aborts, whichever is first. */
  past(after: bigint, waitMs: number, signal: AbortSignal): Promise<void>;
}

export interface RecentOptions {
  readonly events: Events;
  /** Of the read model of events. */
  readonly visible: Visible;
  readonly region: string;
  readonly logger: Logger;
  /** For tests: what is kept in memory. */
  readonly keep?: { readonly facts: number; readonly weight: number } | undefined;
}

const usualKeep = { facts: 2_000, weight: 16 * 1024 * 1024 };
const everybody: Viewer = { projectId: null, isAdmin: true };
const pageLimit = 1_000;
const waitMs = 10_000;
const retryMs = 250;

/**
 * Follows the read model of events while anybody listens. A stream that is near the end takes facts from here; one that
 * is further back reads pages of its own until it is near. Both go by positions, so that nothing can fall between them.
 */
export function recentFacts({
  events,
  visible,
  region,
  logger,
  keep = usualKeep,
}: RecentOptions): Recent {
  let facts: Fact[] = [];
  let weight = 0;
  /** Facts above this one and up to `upTo` are all here. */
  let floor = 0n;
  let upTo = 0n;
  let listeners = 0;
  let running: { readonly begun: Promise<void>; readonly stop: AbortController } | undefined;
  const news = bell();

  const take = (told: readonly Told[], next: bigint): void => {
    for (const one of told) {
      const fact = factOf(one, region);
      facts.push(fact);
      weight += fact.weight;
    }
    upTo = next;
    let gone = 0;
    while (facts.length - gone > keep.facts || weight > keep.weight) {
      const oldest = facts[gone];
      if (oldest === undefined) break;
      floor = oldest.told.event.position;
      weight -= oldest.weight;
      gone += 1;
    }
    if (gone > 0) facts = facts.slice(gone);
    news.ring();
  };

  const begin = async (): Promise<void> => {
    const checkpoint = await events.checkpoint();
    facts = [];
    weight = 0;
    floor = checkpoint;
    upTo = checkpoint;
  };

  const follow = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      try {
        const arrived = await reached(visible, upTo + 1n);
        if (!arrived || stop.aborted) continue;
        const checkpoint = await events.checkpoint();
        while (upTo < checkpoint && !stop.aborted) {
          const query = { viewer: everybody, filter: {}, after: upTo, upTo: checkpoint };
          const page = await events.page({ ...query, limit: pageLimit });
          if (!stop.aborted) take(page.events, page.next);
        }
      } catch (error) {
        if (stop.aborted) return;
        logger.warn({ err: error }, 'events cannot be followed; trying again');
        await delay(retryMs, undefined, { signal: stop }).catch(() => {});
      }
    }
  };

  const start = () => {
    const stop = new AbortController();
    const begun = begin();
    const started = { begun, stop };
    begun.then(
      () => void follow(stop.signal),
      () => {
        if (running === started) running = undefined;
      },
    );
    return started;
  };

  return {
    async join() {
      listeners += 1;
      running ??= start();
      const { stop } = running;
      let left = false;
      const leave = (): void => {
        if (left) return;
        left = true;
        listeners -= 1;
        if (listeners > 0) return;
        stop.abort();
        running = undefined;
      };
      try {
        await running.begun;
        return leave;
      } catch (error) {
        leave();
        throw error;
      }
    },
    get upTo() {
      return upTo;
    },
    since(after) {
      if (after < floor) return undefined;
      const first = facts.findLastIndex(({ told }) => told.event.position <= after);
      return facts.slice(first + 1);
    },
    async past(after, longestMs, signal) {
      const until = performance.now() + longestMs;
      for (;;) {
        const { rings } = news;
        const left = until - performance.now();
        if (upTo > after || left <= 0 || signal.aborted) return;
        await news.past(rings, left, signal);
      }
    },
  };
}

/** Whether the read model got there; false when nothing has come for a while. */
async function reached(visible: Visible, position: bigint): Promise<boolean> {
  try {
    await visible.waitFor(position, waitMs);
    return true;
  } catch (error) {
    if (error instanceof NotYetVisible) return false;
    throw error;
  }
}
