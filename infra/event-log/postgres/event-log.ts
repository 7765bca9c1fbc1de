import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  type EventLog,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
} from '../../../domain/event-log.ts';
import { listener } from '../../postgres/listen.ts';
import type { Log } from '../../postgres/log.ts';
import { postgresPool } from '../../postgres/pool.ts';
import { bell } from '../bell.ts';
import { encoded } from './append.ts';
import { following, type Part } from './follow.ts';
import { groupCommit } from './group-commit.ts';
import {
  allQuery,
  asText,
  bytesOf,
  planSettings,
  type Row,
  recordedEvent,
  streamQuery,
  type Upcast,
} from './rows.ts';

export interface PostgresEventLogOptions {
  readonly log: Log;
  /** Lifts each event that is read to its newest shape. */
  readonly upcast: Upcast;
  /** Most connections for reading; default 4. Appends have two of their own, following one. */
  readonly readConnections?: number;
}

const channel = 'daguerre_events';
const batchLimits = { inFlight: 2, aloneMs: 20, maxEvents: 1_000, maxBytes: 4 * 1024 * 1024 };
/** A read ends with the event that passes this, however many were asked for. */
const readBytes = 8 * 1024 * 1024;
const streamPart = 1_000;
const retryMs = 100;
const queryTimeoutMs = 15_000;
/** `recorded_at` is parsed here, so it must come as ISO 8601 whatever the server is set to. */
const settings = { ...planSettings, timezone: 'UTC', datestyle: 'ISO' };

/** The log in Postgres; `eventLogMigrations` make its tables. One per process: appends of a process share commits. */
export function postgresEventLog(url: string, options: PostgresEventLogOptions): EventLog {
  const { log, upcast } = options;
  const shared = { log, queryTimeoutMs, settings };
  const writing = postgresPool(url, {
    ...shared,
    max: batchLimits.inFlight,
    applicationName: 'daguerre append',
  });
  const reading = postgresPool(url, {
    ...shared,
    max: options.readConnections ?? 4,
    applicationName: 'daguerre read',
  });
  const appends = groupCommit(writing, batchLimits);
  const closing = new AbortController();
  const news = bell();
  let listening: ReturnType<typeof listener> | undefined;

  const read = async (name: string, text: string, values: unknown[]): Promise<readonly Row[]> => {
    const query = { name, text, values, rowMode: 'array' as const, types: asText };
    const { rows } = await available(() => reading.query<Row & unknown[]>(query));
    return rows;
  };
  const parsed = (rows: readonly Row[]): RecordedEvent[] =>
    rows.map((row) => upcast(recordedEvent(row)));

  const readAll = async (after: bigint, limit: number): Promise<RecordedEvent[]> =>
    parsed(await read('read-all', allQuery, [after, limit, readBytes]));

  const readPart = async (after: bigint, limit: number): Promise<Part> => {
    const rows = await read('read-all', allQuery, [after, limit, readBytes]);
    return { events: parsed(rows), isAll: rows.length < limit && bytesOf(rows) < readBytes };
  };

  return {
    async readStream(streamId, above = -1) {
      // In parts, between which others have their turn: a stream may be long.
      const parts: RecordedEvent[][] = [];
      for (;;) {
        const after = parts.at(-1)?.at(-1)?.revision ?? above;
        const bounds = [streamId, after, streamPart, readBytes];
        const rows = await read('read-stream', streamQuery, bounds);
        parts.push(parsed(rows));
        if (rows.length < streamPart && bytesOf(rows) < readBytes) break;
      }
      const events = parts.flat();
      const last = events.at(-1);
      return { events, revision: last?.revision ?? above, position: last?.position ?? 0n };
    },

    append(streamId, events: readonly NewEvent[], expected) {
      return new Promise((resolve, reject) => {
        if (events.length === 0) throw new RangeError(`an append to ${streamId} without events`);
        if (closing.signal.aborted) throw new LogUnavailable(new Error('this log is closed'));
        const written = events.map(encoded);
        const bytes = written.reduce(
          (sum, { data, metadata }) => sum + data.length + metadata.length,
          0,
        );
        appends.add({ streamId, expected, events: written, bytes, resolve, reject });
      });
    },

    readAll,

    async head() {
      const query = { name: 'head', text: 'select position from event_counter' };
      const { rows } = await available(() => reading.query<{ position: bigint }>(query));
      return rows[0]?.position ?? 0n;
    },

    follow(after, signal) {
      listening ??= listener(url, [channel], news.ring, { log, onConnect: news.ring });
      const ended = AbortSignal.any([signal, closing.signal]);
      const read = (last: bigint, limit: number) =>
        readPart(last, limit).catch(async (error: unknown) => {
          if (!(error instanceof LogUnavailable)) throw error;
          if (!ended.aborted) log.warn({ err: error, last }, 'cannot follow the log; trying again');
          await delay(retryMs, undefined, { signal: ended }).catch(() => undefined);
          return undefined;
        });
      return following({ after, signal: ended, read, news });
    },

    async close() {
      closing.abort();
      await Promise.all([appends.drained(), listening?.close()]);
      await Promise.all([writing.end(), reading.end()]);
    },
  };
}

/** Reads may be asked again: once, on another connection, when the first was lost with a restart of Postgres. */
async function available<Result>(query: () => Promise<Result>): Promise<Result> {
  try {
    return await query().catch((error) => {
      if (isFault(error)) throw error;
      return query();
    });
  } catch (error) {
    throw isFault(error) ? error : new LogUnavailable(error);
  }
}

/** A mistake in the question (SQLSTATE 22, 42), which another try would only repeat. */
function isFault(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(22|42)/.test(error.code ?? '');
}
