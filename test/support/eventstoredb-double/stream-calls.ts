import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import {
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { askedInBatches, askedPlain } from './appending.ts';
import { appended, batchAppended, batchConflict, conflict } from './messages.ts';
import { answering, InvalidPosition, type ReadCall, read } from './reading.ts';
import type { Proposed, TransactionLog } from './transaction-log.ts';

/** What becomes of an append: its connection is lost before or after it is written, or it is never answered, or too late. */
export type Fault = 'lost-before' | 'lost-after' | 'unanswered' | 'timed-out' | 'not-ready';

/** What the double was asked, for tests to look at. */
export interface Told {
  plainAppends: number;
  batchAppends: number;
  reads: number;
  /** Events that were written to clients; those that nobody takes stay in buffers. */
  eventsSent: number;
  /** Subscriptions that are open. */
  subscriptions: number;
  /** After which position each was asked for; undefined: from the start. */
  readonly subscribedAfter: (bigint | undefined)[];
}

export interface StreamCallsOptions {
  readonly log: TransactionLog;
  readonly gone: AbortSignal;
  readonly mayCall: (metadata: Metadata) => StatusObject | undefined;
  readonly drop: () => void;
  readonly maxAppendBytes: number;
}

/** The handlers of the service `Streams`. */
export function streamCalls({ log, gone, mayCall, drop, maxAppendBytes }: StreamCallsOptions) {
  const faults: Fault[] = [];
  const told: Told = {
    plainAppends: 0,
    batchAppends: 0,
    reads: 0,
    eventsSent: 0,
    subscriptions: 0,
    subscribedAfter: [],
  };

  async function append(
    call: ServerReadableStream<AppendReq, AppendResp>,
    answer: sendUnaryData<AppendResp>,
  ): Promise<void> {
    const refused = mayCall(call.metadata);
    if (refused !== undefined) return answer(refused);
    const { stream, expected, events } = await askedPlain(call);
    told.plainAppends += 1;
    if (bytesOf(events) > maxAppendBytes) return answer(tooLarge(maxAppendBytes));
    const fault = faults.shift();
    if (fault === 'lost-before') return drop();
    if (fault === 'not-ready') return answer(failure(status.UNAVAILABLE, 'Server Is Not Ready'));
    const outcome = log.append(stream, expected, events);
    if (fault === 'lost-after') return drop();
    if (fault === 'unanswered') return;
    if (fault === 'timed-out')
      return answer(failure(status.ABORTED, 'Operation timed out: Commit phase timeout.'));
    if (outcome.kind === 'conflict') return answer(null, conflict(expected, outcome.current));
    answer(null, appended(outcome.revision, outcome.position));
  }

  function batchAppend(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
    const gather = askedInBatches();
    const refused = mayCall(call.metadata);
    if (refused !== undefined) {
      call.emit('error', refused);
      return;
    }
    call.on('error', () => {});
    call.on('end', () => call.end());
    call.on('data', (part: BatchAppendReq) => {
      const asked = gather(part);
      if (asked === undefined) return;
      told.batchAppends += 1;
      const { correlation, stream, expected, events } = asked;
      const fault = faults.shift();
      if (fault === 'lost-before') return drop();
      const outcome = log.append(stream, expected, events);
      if (fault === 'lost-after') return drop();
      if (fault === 'unanswered') return;
      call.write(
        outcome.kind === 'conflict'
          ? batchConflict(correlation, stream, expected, outcome.current)
          : batchAppended(correlation, stream, outcome.revision, outcome.position),
      );
    });
  }

  async function readCall(call: ReadCall): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort();
    for (const name of ['cancelled', 'close', 'error'] as const) call.on(name, end);
    const options = call.request.getOptions();
    const refused = mayCall(call.metadata);
    if (refused !== undefined || options === undefined) {
      call.emit('error', refused ?? failure(status.INVALID_ARGUMENT, 'no options'));
      return;
    }
    told.reads += 1;
    const isSubscription = options.hasSubscription();
    if (isSubscription) {
      const after = options.getAll()?.getPosition()?.getCommitPosition();
      told.subscribedAfter.push(after === undefined ? undefined : BigInt(after));
      told.subscriptions += 1;
    }
    const signal = AbortSignal.any([over.signal, gone]);
    const answer = answering(call, signal);
    try {
      await read(
        log,
        options,
        async (message) => {
          if (message.hasEvent()) told.eventsSent += 1;
          await answer(message);
        },
        signal,
      );
      call.end();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof InvalidPosition)) throw error;
      call.emit(
        'error',
        isSubscription
          ? failure(status.INVALID_ARGUMENT, 'Trying to read from an invalid position.')
          : failure(status.UNKNOWN, 'Unexpected FilteredReadAllResult: InvalidPosition'),
      );
    } finally {
      if (isSubscription) told.subscriptions -= 1;
    }
  }

  return {
    told,
    fault: (fault: Fault): void => {
      faults.push(fault);
    },
    handlers: {
      append: (
        call: ServerReadableStream<AppendReq, AppendResp>,
        answer: sendUnaryData<AppendResp>,
      ) => {
        append(call, answer).catch(() => {}); // its connection is gone
      },
      batchAppend,
      read: (call: ReadCall) => {
        readCall(call).catch((error) =>
          call.emit('error', failure(status.INTERNAL, String(error))),
        );
      },
    },
  };
}

const bytesOf = (events: readonly Proposed[]): number =>
  events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);

const failure = (code: status, details: string): StatusObject => ({
  code,
  details,
  metadata: new Metadata(),
});

function tooLarge(maxAppendBytes: number): StatusObject {
  const metadata = new Metadata();
  metadata.set('exception', 'maximum-append-size-exceeded');
  metadata.set('maximum-append-size', String(maxAppendBytes));
  return { code: status.INVALID_ARGUMENT, details: 'Maximum Append Size Exceeded.', metadata };
}
