import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ClientReadableStream } from '@grpc/grpc-js';
import type { Client } from './client.ts';

/** Of a record in the server's transaction file. */
export interface Place {
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** An event that was appended over gRPC is its own commit. */
export const placeAt = (position: bigint): Place => ({ commit: position, prepare: position });

/** Everything but system streams and the links of system projections: `$stats-...`, `$$image-...`, `$ce-image`. */
const ownStreams = '^[^$]';
/** Events that the server looks at before it says how far it is, where none of them is ours. */
const searchWindow = 500;

const { Options } = streams.ReadReq;
const empty = () => new shared.Empty();

function request(set: (options: ReadReq.Options) => void): ReadReq {
  const options = new Options();
  options.setUuidOption(new Options.UUIDOption().setString(empty()));
  set(options);
  return new streams.ReadReq().setOptions(options);
}

function all(options: ReadReq.Options, from: Place | 'start' | 'end'): void {
  const where = new Options.AllOptions();
  if (from === 'start') where.setStart(empty());
  else if (from === 'end') where.setEnd(empty());
  else
    where.setPosition(
      new Options.Position()
        .setCommitPosition(String(from.commit))
        .setPreparePosition(String(from.prepare)),
    );
  const filter = new Options.FilterOptions()
    .setStreamIdentifier(new Options.FilterOptions.Expression().setRegex(ownStreams))
    .setMax(searchWindow)
    .setCheckpointintervalmultiplier(1);
  options.setAll(where).setFilter(filter);
}

const forwards = 0;
const backwards = 1;

/** A stream from one revision on. */
export const ofStream = (streamId: string, fromRevision: number): ReadReq =>
  request((options) => {
    const where = new Options.StreamOptions()
      .setStreamIdentifier(
        new shared.StreamIdentifier().setStreamName(Buffer.from(streamId).toString('base64')),
      )
      .setRevision(String(fromRevision));
    options.setStream(where).setNoFilter(empty());
    options.setReadDirection(forwards).setCount(String(Number.MAX_SAFE_INTEGER));
  });

/** The whole log, oldest first, with the event at `from` itself. */
export const ofAll = (from: Place | 'start', count: number): ReadReq =>
  request((options) => {
    all(options, from);
    options.setReadDirection(forwards).setCount(String(count));
  });

/** The whole log, newest first. */
export const ofAllBackwards = (count: number): ReadReq =>
  request((options) => {
    all(options, 'end');
    options.setReadDirection(backwards).setCount(String(count));
  });

/** The whole log without the event at `from`, and whatever comes, with checkpoints on the way. */
export const subscription = (from: Place | 'start'): ReadReq =>
  request((options) => {
    all(options, from);
    options.setReadDirection(forwards).setSubscription(new Options.SubscriptionOptions());
  });

export interface Reading {
  readonly requiresLeader: boolean;
  /** Longest wait for the next answer; without it, for ever. */
  readonly silenceMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * The server's answers, read no faster than they are taken. Rejects with the client's own errors; ends when the signal
 * aborts. Leaving it lets go of the call.
 */
export async function* answers(
  client: Client,
  asked: ReadReq,
  { requiresLeader, silenceMs, signal }: Reading,
): AsyncGenerator<ReadResp> {
  let stream: ClientReadableStream<ReadResp> | undefined;
  let over: 'aborted' | 'silent' | 'left' | undefined;
  let stopWaiting = (_: Error): void => {};
  const ended = new Promise<never>((_, reject) => {
    stopWaiting = reject;
  });
  ended.catch(() => {});
  const end = (why: typeof over): void => {
    over ??= why;
    stopWaiting(new Error(`the call is over: ${why}`));
    stream?.cancel();
    stream?.destroy();
  };
  const opening = client.open((calls, metadata, options) => {
    stream = calls.read(asked, metadata, options);
    // Of a call that nobody waits for any more: without a listener its failure would end the process.
    stream.on('error', () => {});
    if (over !== undefined) end(over);
    return stream;
  }, requiresLeader);
  opening.catch(() => {});
  const abort = () => end('aborted');
  const timer = silenceMs === undefined ? undefined : setTimeout(() => end('silent'), silenceMs);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    if (signal?.aborted) abort();
    // Looking for a node of a cluster can take long.
    const opened: AsyncIterable<ReadResp> = await Promise.race([opening, ended]);
    for await (const answer of opened) {
      timer?.refresh();
      if (answer.hasStreamNotFound()) return;
      yield answer;
    }
  } catch (error) {
    if (over === 'silent')
      throw new Error(`EventStoreDB did not answer within ${silenceMs} ms`, { cause: error });
    if (over !== 'aborted') throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    end('left');
  }
}
