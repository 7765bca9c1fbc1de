import { setTimeout as delay } from 'node:timers/promises';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { LogUnavailable, type RecordedEvent, type StreamSlice } from '../../../domain/event-log.ts';
import type { Client } from './client.ts';
import { bytesOf, isOwn, type Kept, positionOf, recordedEvent } from './events.ts';
import { isBadPosition } from './failures.ts';
import { answers, ofAll, ofAllBackwards, ofStream, type Place, placeAt } from './reads.ts';

export interface ReaderOptions {
  readonly client: Client;
  readonly upcast: (event: RecordedEvent) => RecordedEvent;
  readonly timeoutMs: number;
  /** Once it aborts, nothing is asked twice. */
  readonly closing: AbortSignal;
}

/** A read ends with the event that passes this, however many were asked for. */
const readBytes = 8 * 1024 * 1024;
/** Asked for at once where others' events fill the log. */
const manyOfOthers = 1_000;
const tries = 3;
const pauseMs = 50;

/** Reads that end. All of them ask the leader: a decision made on what a follower has not heard yet would only conflict. */
export function reader({ client, upcast, timeoutMs, closing }: ReaderOptions) {
  async function* events(asked: ReadReq): AsyncGenerator<Kept> {
    const reading = { requiresLeader: true, silenceMs: timeoutMs };
    for await (const answer of answers(client, asked, reading)) {
      const kept = answer.getEvent()?.getEvent();
      if (kept !== undefined) yield kept;
    }
  }

  /** Asked again after a failure, on a new channel; `ask` may then go on where it was. */
  const read = async <Value>(
    ask: () => ReadReq,
    take: (kept: AsyncIterable<Kept>) => Promise<Value>,
  ): Promise<Value> => {
    for (let tried = 1; ; tried += 1)
      try {
        return await take(events(ask()));
      } catch (error) {
        if (isBadPosition(error)) throw error;
        if (tried === tries || closing.aborted) throw new LogUnavailable(error);
        await delay(pauseMs);
      }
  };

  /** In their newest shape, without what somebody else wrote. */
  const own = (all: readonly Kept[]): RecordedEvent[] =>
    all.flatMap((kept) => {
      const event = recordedEvent(kept);
      return event === undefined ? [] : [upcast(event)];
    });

  /**
   * The place of the last event up to a position that may be no event's own, where the server cannot begin to read. It
   * walks back from the end, as far as the caller is about to read.
   */
  const placeUpTo = (position: bigint): Promise<Place | 'start'> =>
    read(
      () => ofAllBackwards(Number.MAX_SAFE_INTEGER),
      async (all) => {
        for await (const kept of all)
          if (positionOf(kept) <= position) return placeAt(positionOf(kept));
        return 'start';
      },
    );

  const piece = (from: Place | 'start', after: bigint, limit: number, count: number) =>
    read(
      () => ofAll(from, count),
      async (all) => {
        const found: Kept[] = [];
        let [bytes, seen, last] = [0, 0, after];
        for await (const kept of all) {
          seen += 1;
          if (positionOf(kept) <= after) continue;
          last = positionOf(kept);
          if (!isOwn(kept)) continue;
          found.push(kept);
          bytes += bytesOf(kept);
          if (found.length === limit || bytes >= readBytes) return { found, last, isEnd: false };
        }
        return { found, last, isEnd: seen < count };
      },
    );

  return {
    own,
    placeUpTo,

    async readStream(streamId: string, above = -1): Promise<StreamSlice> {
      const found: Kept[] = [];
      let [revision, position] = [above, 0n];
      await read(
        () => ofStream(streamId, revision + 1),
        async (all) => {
          for await (const kept of all) {
            found.push(kept);
            revision = Number(kept.getStreamRevision());
            position = positionOf(kept);
          }
        },
      );
      return { events: own(found), revision, position };
    },

    async readAll(after: bigint, limit: number): Promise<readonly RecordedEvent[]> {
      if (limit < 1) return [];
      let from: Place | 'start' = after <= 0n ? 'start' : placeAt(after);
      // The event at `from` comes as well.
      let count = limit + 1;
      for (let last = after; ; ) {
        const next = await piece(from, last, limit, count).catch(async (error: unknown) => {
          if (!isBadPosition(error)) throw error;
          return piece(await placeUpTo(after), last, limit, count);
        });
        // Where only others' events came, ours may follow.
        const events = own(next.found);
        if (events.length > 0 || next.isEnd) return events;
        last = next.last;
        from = placeAt(last);
        count = Math.max(count, manyOfOthers);
      }
    },

    async head(): Promise<bigint> {
      const newest = (count: number) =>
        read(
          () => ofAllBackwards(count),
          async (all) => {
            for await (const kept of all) if (isOwn(kept)) return positionOf(kept);
            return undefined;
          },
        );
      // Where the newest is somebody else's, ours lies further back.
      return (await newest(1)) ?? (await newest(Number.MAX_SAFE_INTEGER)) ?? 0n;
    },
  };
}
