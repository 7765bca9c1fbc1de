import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  caughtUpMessage,
  checkpointMessage,
  confirmationMessage,
  eventMessage,
  notFoundMessage,
  textOf,
} from './messages.ts';
import type { Kept, TransactionLog } from './transaction-log.ts';

export type ReadCall = ServerWritableStream<ReadReq, ReadResp>;
export type Answer = (message: ReadResp) => Promise<void>;

/** As servers say of a read, and of a subscription, that begin between two records. */
export class InvalidPosition extends Error {}

const backwards = 1;
const untilRung = 2 ** 31 - 1;

/** Waits where the client takes nothing, as the real server does. Rejects when the call is over. */
export function answering(call: ReadCall, gone: AbortSignal): Answer {
  return async (message) => {
    gone.throwIfAborted();
    if (!call.write(message)) await once(call, 'drain', { signal: gone });
  };
}

export async function read(
  log: TransactionLog,
  options: ReadReq.Options,
  answer: Answer,
  gone: AbortSignal,
): Promise<void> {
  const stream = options.getStream();
  if (stream !== undefined) await readStream(log, options, stream, answer);
  else if (options.hasSubscription()) await subscribe(log, options, answer, gone);
  else await readAll(log, options, answer);
}

async function readStream(
  log: TransactionLog,
  options: ReadReq.Options,
  asked: ReadReq.Options.StreamOptions,
  answer: Answer,
): Promise<void> {
  const name = textOf(asked.getStreamIdentifier()?.getStreamName_asU8());
  const events = log.stream(name);
  if (events.length === 0) return answer(notFoundMessage(name));
  const isBack = options.getReadDirection() === backwards;
  const from = asked.hasRevision()
    ? Number(asked.getRevision())
    : asked.hasEnd()
      ? events.length - 1
      : 0;
  const wanted = isBack ? events.slice(0, from + 1).reverse() : events.slice(from);
  for (const kept of wanted.slice(0, Number(options.getCount()))) await answer(eventMessage(kept));
}

async function readAll(log: TransactionLog, options: ReadReq.Options, answer: Answer) {
  const isWanted = filterOf(options);
  const isBack = options.getReadDirection() === backwards;
  const step = isBack ? -1 : 1;
  let index = startOf(log, options) - (isBack ? 1 : 0);
  for (let left = Number(options.getCount()); left > 0; index += step) {
    const kept = log.all[index];
    if (kept === undefined) return;
    if (!isWanted(kept)) continue;
    await answer(eventMessage(kept));
    left -= 1;
  }
}

async function subscribe(
  log: TransactionLog,
  options: ReadReq.Options,
  answer: Answer,
  gone: AbortSignal,
): Promise<void> {
  const isWanted = filterOf(options);
  const filter = options.getFilter();
  const every = (filter?.getMax() || 32) * (filter?.getCheckpointintervalmultiplier() || 1);
  await answer(confirmationMessage(randomUUID()));
  const asked = options.getAll()?.getPosition();
  const after = asked === undefined ? -1n : BigInt(asked.getCommitPosition());
  let considered = 0;
  let isCaughtUp = false;
  for (let index = startOf(log, options); ; ) {
    const { rings } = log.news;
    const kept = log.all[index];
    if (kept === undefined) {
      if (!isCaughtUp) await answer(caughtUpMessage());
      isCaughtUp = true;
      await log.news.past(rings, untilRung, gone);
      gone.throwIfAborted();
      index = Math.min(index, log.all.length);
      continue;
    }
    index += 1;
    if (kept.position <= after) continue;
    if (isWanted(kept)) await answer(eventMessage(kept));
    considered += 1;
    if (filter !== undefined && considered % every === 0)
      await answer(checkpointMessage(kept.position));
  }
}

function startOf(log: TransactionLog, options: ReadReq.Options): number {
  const all = options.getAll();
  const position = all?.getPosition();
  if (all?.hasEnd()) return log.all.length;
  if (position === undefined) return 0;
  const index = log.indexAt(BigInt(position.getCommitPosition()));
  if (index === undefined) throw new InvalidPosition();
  return index;
}

function filterOf(options: ReadReq.Options): (kept: Kept) => boolean {
  const filter = options.getFilter();
  const ofStream = filter?.getStreamIdentifier();
  const expression = ofStream ?? filter?.getEventType();
  if (expression === undefined) return () => true;
  const regex = expression.getRegex() === '' ? undefined : new RegExp(expression.getRegex());
  const prefixes = expression.getPrefixList();
  return ({ stream, event }) => {
    const text = ofStream === undefined ? event.type : stream;
    return regex?.test(text) ?? prefixes.some((prefix) => text.startsWith(prefix));
  };
}
