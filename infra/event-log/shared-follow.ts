import { setTimeout as delay } from 'node:timers/promises';
import { type EventLog, LogUnavailable, type RecordedEvent } from '../../domain/event-log.ts';
import { type Bell, bell } from './bell.ts';

type Followed = Pick<EventLog, 'readAll' | 'head' | 'follow'>;

/** Batches that are kept for followers who are a little behind; one has 1,000 events at most. */
const keptBatches = 4;
const readAtOnce = 1_000;
const lookAgainMs = 1_000;
const retryMs = 100;

interface Kept {
  /** The position before its first event. */
  readonly after: bigint;
  readonly events: readonly RecordedEvent[];
}

/** One reading of the log's end, from its first follower's start on. */
interface Pump {
  readonly batches: Kept[];
  readonly news: Bell;
  readonly stop: AbortController;
  /** Everything up to here has been read; 0 before it is known where the log ended. */
  end: bigint;
  failure: { readonly error: unknown } | undefined;
  followers: number;
}

/**
 * The log, read once for all who follow it in this process: each new event is fetched and parsed one time, however many
 * read models take it in. Whoever is further behind than what is kept reads for itself until it has caught up.
 */
export function sharedFollow(log: Followed): Followed {
  let current: Pump | undefined;

  const pumping = async (pump: Pump): Promise<void> => {
    try {
      pump.end = await log.head();
      pump.news.ring();
      for await (const events of log.follow(pump.end, pump.stop.signal)) {
        pump.batches.push({ after: pump.end, events });
        if (pump.batches.length > keptBatches) pump.batches.shift();
        pump.end = events.at(-1)?.position ?? pump.end;
        pump.news.ring();
      }
      pump.failure = { error: new Error('the log is followed no longer') };
    } catch (error) {
      pump.failure = { error };
    }
    end(pump);
    pump.news.ring();
  };

  const end = (pump: Pump): void => {
    pump.stop.abort();
    if (current === pump) current = undefined;
  };

  const join = (): Pump => {
    if (current === undefined) {
      current = {
        batches: [],
        news: bell(),
        stop: new AbortController(),
        end: 0n,
        failure: undefined,
        followers: 0,
      };
      void pumping(current);
    }
    current.followers += 1;
    return current;
  };

  const leave = (pump: Pump): void => {
    pump.followers -= 1;
    if (pump.followers === 0) end(pump);
  };

  /** What is kept above `last`; undefined where something between is kept no more. */
  const keptAbove = (
    { batches, end }: Pump,
    last: bigint,
  ): readonly RecordedEvent[] | undefined => {
    if (last >= end) return [];
    const from = batches.findIndex(
      ({ after, events }) => after <= last && last < positionOf(events),
    );
    if (from < 0) return undefined;
    return batches
      .slice(from)
      .flatMap(({ events }) => events.filter(({ position }) => position > last));
  };

  /** Nothing, after a pause, while the log cannot be reached. */
  const readAbove = (last: bigint, signal: AbortSignal): Promise<readonly RecordedEvent[]> =>
    log.readAll(last, readAtOnce).catch(async (error: unknown) => {
      if (!(error instanceof LogUnavailable)) throw error;
      await delay(retryMs, undefined, { signal }).catch(() => {});
      return [];
    });

  return {
    readAll: (after, limit) => log.readAll(after, limit),
    head: () => log.head(),
    async *follow(after, signal) {
      const pump = join();
      try {
        let last = after;
        while (!signal.aborted) {
          const rings = pump.news.rings;
          const events = keptAbove(pump, last) ?? (await readAbove(last, signal));
          const newest = events.at(-1);
          if (newest !== undefined) {
            last = newest.position;
            yield events;
            continue;
          }
          if (pump.failure !== undefined) throw pump.failure.error;
          await pump.news.past(rings, lookAgainMs, signal);
        }
      } finally {
        leave(pump);
      }
    },
  };
}

const positionOf = (events: readonly RecordedEvent[]): bigint => events.at(-1)?.position ?? 0n;
