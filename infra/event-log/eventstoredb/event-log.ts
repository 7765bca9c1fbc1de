import { setTimeout as delay } from 'node:timers/promises';
import { NO_STREAM } from '@eventstore/db-client';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type RecordedEvent,
} from '../../../domain/event-log.ts';
import type { Log } from '../../postgres/log.ts';
import { eventStoreClient } from './client.ts';
import { proposed } from './events.ts';
import { appendFailure, isNotLeader } from './failures.ts';
import { following } from './follow.ts';
import { reader } from './reader.ts';

export interface EventStoreDbEventLogOptions {
  readonly log: Log;
  /** Lifts each event that is read to its newest shape. */
  readonly upcast: (event: RecordedEvent) => RecordedEvent;
  /** Longest wait for an answer; default 10 s. */
  readonly timeoutMs?: number;
}

const leaderTries = 5;
const pauseMs = 50;

/**
 * The log in EventStoreDB, 22.6 or later. A position is an event's commit position: bytes from the log's beginning, so
 * there are gaps between them, and system events stand in the gaps. The events of one append have positions of their own,
 * in their order, so a reader may stop and go on between them. Throws on a bad connection string.
 */
export function eventStoreDbEventLog(
  url: string,
  { log, upcast, timeoutMs = 10_000 }: EventStoreDbEventLogOptions,
): EventLog {
  const client = eventStoreClient(url);
  const closing = new AbortController();
  const appends = new Set<Promise<unknown>>();
  const reads = reader({ client, upcast, timeoutMs, closing: closing.signal });

  const send = async (
    streamId: string,
    events: readonly ReturnType<typeof proposed>[],
    expected: number,
  ): Promise<bigint> => {
    for (let tried = 1; ; tried += 1)
      try {
        const { position } = await client.appendToStream(streamId, [...events], {
          expectedRevision: expected === -1 ? NO_STREAM : BigInt(expected),
          requiresLeader: true,
          deadline: timeoutMs,
        });
        return position?.commit ?? (await reads.readStream(streamId)).position;
      } catch (error) {
        if (!isNotLeader(error) || tried === leaderTries)
          throw appendFailure(streamId, expected, error);
        await delay(pauseMs);
      }
  };

  /** The call itself has its deadline; looking for a node of a cluster before it, or for its leader, has none. */
  const inTime = async (streamId: string, sending: Promise<bigint>): Promise<bigint> => {
    const answered = new AbortController();
    const tooLate = delay(2 * timeoutMs, undefined, { signal: answered.signal }).then(() => {
      throw new AppendUnknown(streamId, new Error('no answer in time'));
    });
    tooLate.catch(() => {});
    return Promise.race([sending, tooLate]).finally(() => answered.abort());
  };

  return {
    readStream: reads.readStream,
    readAll: reads.readAll,
    head: reads.head,

    async append(streamId, events, expected) {
      if (events.length === 0) throw new RangeError(`an append to ${streamId} without events`);
      if (closing.signal.aborted) throw new LogUnavailable(new Error('this log is closed'));
      const written = events.map((event) => proposed(streamId, event));
      const appending = inTime(streamId, send(streamId, written, expected));
      appends.add(appending);
      return appending.finally(() => appends.delete(appending));
    },

    async *follow(after, signal) {
      const ended = AbortSignal.any([signal, closing.signal]);
      const { placeUpTo } = reads;
      for await (const batch of following({ client, after, signal: ended, log, placeUpTo })) {
        const events = reads.own(batch);
        if (events.length > 0) yield events;
      }
    },

    async close() {
      closing.abort();
      await Promise.allSettled(appends);
      await client.close();
    },
  };
}
