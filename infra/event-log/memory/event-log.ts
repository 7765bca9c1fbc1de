import {
  type EventLog,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
  RevisionConflict,
} from '../../../domain/event-log.ts';
import { type Bell, bell } from '../bell.ts';

export interface MemoryEventLogOptions {
  readonly upcast: (event: RecordedEvent) => RecordedEvent;
  readonly now?: () => Date;
  /** Give the same to several logs, and they are several connections to one. */
  readonly storage?: MemoryStorage;
}

export interface MemoryStorage {
  readonly all: RecordedEvent[];
  readonly streams: Map<string, RecordedEvent[]>;
  readonly news: Bell;
}

export function memoryStorage(): MemoryStorage {
  return { all: [], streams: new Map(), news: bell() };
}

const followBatch = 1_000;
const untilRung = 2 ** 31 - 1;

/** The log in memory, for fast tests only: it forgets. */
export function memoryEventLog({
  upcast,
  now = () => new Date(),
  storage = memoryStorage(),
}: MemoryEventLogOptions): EventLog {
  const { all, streams, news } = storage;
  const closing = new AbortController();

  const given = (events: readonly RecordedEvent[]) =>
    events.map((event) => upcast(structuredClone(event)));
  // Positions are dense and begin at 1: what lies above position P begins at index P.
  const above = (after: bigint, limit: number) =>
    given(all.slice(Number(after), Number(after) + limit));

  return {
    async readStream(streamId, after = -1) {
      const events = given((streams.get(streamId) ?? []).slice(after + 1));
      const last = events.at(-1);
      return { events, revision: last?.revision ?? after, position: last?.position ?? 0n };
    },

    async append(streamId, events, expected) {
      if (events.length === 0) throw new RangeError(`an append to ${streamId} without events`);
      if (closing.signal.aborted) throw new LogUnavailable(new Error('this log is closed'));
      const written = events.map((event) => stored(streamId, event));
      const stream = streams.get(streamId) ?? [];
      if (stream.length - 1 !== expected) throw new RevisionConflict(streamId, expected);
      const recordedAt = now();
      for (const event of written) {
        const revision = stream.length;
        const position = BigInt(all.length + 1);
        const recorded = { ...event, streamId, revision, position, recordedAt };
        stream.push(recorded);
        all.push(recorded);
      }
      streams.set(streamId, stream);
      news.ring();
      return BigInt(all.length);
    },

    async readAll(after, limit) {
      return above(after, limit);
    },

    async head() {
      return BigInt(all.length);
    },

    async *follow(after, signal) {
      const ended = AbortSignal.any([signal, closing.signal]);
      let last = after;
      while (!ended.aborted) {
        const { rings } = news;
        const events = above(last, followBatch);
        const newest = events.at(-1);
        if (newest === undefined) {
          await news.past(rings, untilRung, ended);
          continue;
        }
        last = newest.position;
        yield events;
      }
    },

    async close() {
      closing.abort();
    },
  };
}

/** As JSON has it, and refusing the text that Postgres refuses. */
function stored(streamId: string, { id, type, schemaVersion, data, metadata }: NewEvent): NewEvent {
  const text = JSON.stringify({ data, metadata });
  const unfit = (value: string) => value.includes('\0') || /\p{Surrogate}/u.test(value);
  const { data: keptData, metadata: keptMetadata } = JSON.parse(text, (key, value) => {
    if (unfit(key) || (typeof value === 'string' && unfit(value)))
      throw new Error(`the log cannot hold an event for ${streamId}: text that Unicode forbids`);
    return value;
  });
  return { id, type, schemaVersion, data: keptData, metadata: keptMetadata };
}
