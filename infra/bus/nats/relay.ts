import { setTimeout as delay } from 'node:timers/promises';
import { headers, type JetStreamManager, type MsgHdrs, type PubAck, type StreamInfo } from 'nats';
import { type EventLog, LogUnavailable, type RecordedEvent } from '../../../domain/event-log.ts';
import type { Log } from '../../postgres/log.ts';
import type { Nats } from './connection.ts';
import { orAborted } from './or-aborted.ts';
import { lastRelayed, type Relayed, relayHeaders } from './relayed.ts';
import { ensureStream, type StreamShape, streamInfo } from './streams.ts';

/** What is published about an event. */
export interface Message {
  /** The same again when it is made again: repeats within the stream's window are dropped by the server. */
  readonly id: string;
  readonly subject: string;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Messages of one kind, all in one stream. */
export interface Lane {
  readonly name: string;
  readonly shape: StreamShape;
  /** Where an empty stream begins: with all that the log has, or with what comes from now on. */
  readonly from: 'start' | 'now';
  /** None for what is not told here. The same event gives the same messages. `maxBytes` is what the server takes. */
  messagesOf(event: RecordedEvent, maxBytes: number): Promise<readonly Message[]>;
}

export interface RelayOptions {
  readonly nats: Nats;
  readonly log: Pick<EventLog, 'follow' | 'readAll' | 'head'>;
  readonly lane: Lane;
  readonly logger: Log;
  /** Everything up to there is in the stream. */
  readonly onRelayed: (position: bigint) => void;
  /** An event that cannot be told is passed over: nothing may hold up all that follow. */
  readonly onUntold: (event: RecordedEvent, error: unknown) => void;
}

/** The stream was filled from a log other than this one. */
export class AnotherLog extends Error {
  constructor(stream: string, { position }: Relayed) {
    super(
      `the JetStream stream ${stream} was filled from another log, or from this one before it was restored: the log has no ` +
        `such event at position ${position}. Delete the stream (it is made again and filled from the log) or give another name with --nats-stream`,
    );
    this.name = 'AnotherLog';
  }
}

/** What the stream holds is no longer what we put there. */
class Shifted extends Error {}

/** The server dropped as a repeat what is not in the stream any more: purging leaves its memory of ids as it was. */
class StoredEarlier extends Error {
  constructor(stream: string, position: bigint) {
    super(
      `the event at position ${position} was in the JetStream stream ${stream} before, and is missing`,
    );
  }
}

const publishesAtOnce = 16;
const ackTimeoutMs = 5_000;
const lookEveryMs = 1_000;
/** For the headers, which count for the server. */
const headerBytes = 2_048;

/**
 * One stretch of relaying: from the last event that is really in the stream, whatever anybody remembers, until `signal`
 * aborts. Each message is published with the sequence and the last message id that the stream must then have, so it is
 * stored next to its predecessor or not at all. (The sequence alone would not do: a message of somebody else's takes the
 * place of one under way, which is refused, and the one after that would fit.) Any error ends the stretch, and the next
 * one looks again:
 *
 *     look at the stream's last message ─→ publish what the log has after it ─→ …
 *        ↑  └ none: from the start                   │ no answer, refused, stream gone or shortened, connection lost
 *        └───────────────────────────────────────────┘
 *
 * So a retry can neither reorder nor repeat, two relays at once only refuse each other, and a stream that was deleted is
 * filled again. A crash leaves nothing to be mended.
 */
export function relayStretches(options: RelayOptions) {
  let withoutIdsUntil = 0;
  return async (signal: AbortSignal): Promise<void> => {
    try {
      await stretch(options, () => performance.now() >= withoutIdsUntil, signal);
    } catch (error) {
      // The expected sequence keeps repeats away as well; the id is for consumers, who have it in the document too.
      if (error instanceof StoredEarlier)
        withoutIdsUntil = performance.now() + 2 * options.lane.shape.duplicateWindowMs;
      throw error;
    }
  };
}

async function stretch(
  options: RelayOptions,
  withIds: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { nats, lane } = options;
  const { connection } = nats;
  const lost = await nats.up(signal);
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: ackTimeoutMs });
  const info = await ensureStream(manager, lane.shape);
  const last = await lastRelayed(manager, info);
  const position = await beginning(options.log, lane, last);
  options.logger.info(
    { stream: lane.shape.name, position: String(position) },
    'relaying from here',
  );
  options.onRelayed(position);

  const left = new AbortController();
  const until = AbortSignal.any([signal, lost, left.signal]);
  const begun = { info, last, position, withIds };
  const stored = { sequence: info.state.last_seq };
  const looking = look(manager, lane, info, stored, until).catch((error) => left.abort(error));
  try {
    await relayAll(options, begun, stored, until);
  } finally {
    left.abort();
    await looking;
  }
}

interface Begun {
  readonly info: StreamInfo;
  readonly last: Relayed | undefined;
  /** The place after which the log is to be told. */
  readonly position: bigint;
  readonly withIds: () => boolean;
}

/** Rejects with what cut it short, unless that is a plain abort of `signal`, by which it ends quietly. */
async function relayAll(
  { nats: { connection }, log, lane, onRelayed, onUntold }: RelayOptions,
  { info, last, withIds, ...begun }: Begun,
  stored: { sequence: number },
  signal: AbortSignal,
): Promise<void> {
  const { shape } = lane;
  const jetStream = connection.jetstream({ timeout: ackTimeoutMs });
  const maxBytes = (connection.info?.max_payload ?? 2 ** 20) - headerBytes;
  let sequence = info.state.last_seq;
  let predecessor: string | undefined;
  let position = begun.position;

  const publish = async ({ message, relayed, after }: Due): Promise<void> => {
    const ids = withIds();
    const expected = sequence;
    const before = predecessor;
    sequence += 1;
    predecessor = ids ? message.id : undefined;
    const ack: PubAck = await jetStream.publish(message.subject, message.body, {
      ...(ids ? { msgID: message.id } : {}),
      headers: headersOf(message, relayed, after),
      timeout: ackTimeoutMs,
      expect: {
        streamName: shape.name,
        lastSequence: expected,
        ...(before === undefined ? {} : { lastMsgID: before }),
      },
    });
    if (ack.seq !== expected + 1) throw new StoredEarlier(shape.name, relayed.position);
    stored.sequence = ack.seq;
  };

  const dueFor = async (event: RecordedEvent, after: bigint): Promise<readonly Due[]> => {
    try {
      const messages = await lane.messagesOf(event, maxBytes);
      const { id: eventId, position } = event;
      const parts = messages.length;
      return messages.map((message, index) => ({
        message,
        relayed: { eventId, position, part: index + 1, parts },
        after,
      }));
    } catch (error) {
      // The log may come back: the event is not to blame.
      if (error instanceof LogUnavailable) throw error;
      onUntold(event, error);
      return [];
    }
  };

  const publishing = groups(publish, signal);
  try {
    if (last !== undefined && last.part < last.parts) {
      const [event] = await log.readAll(last.position - 1n, 1);
      const all = event === undefined ? [] : await dueFor(event, last.position - 1n);
      for (const due of all.slice(last.part)) await publishing.add(due, withIds());
    }
    // What the stream would have let go of is not brought back when it is filled again.
    const notBefore = shape.maxAgeMs === 0 ? 0 : Date.now() - shape.maxAgeMs;
    for await (const events of log.follow(position, signal)) {
      for (const event of events) {
        if (event.recordedAt.getTime() >= notBefore)
          for (const due of await dueFor(event, position)) await publishing.add(due, withIds());
        position = event.position;
      }
      await publishing.flush();
      onRelayed(position);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (signal.reason instanceof Error && signal.reason.name !== 'AbortError') throw signal.reason;
}

/** A message on its way, of an event that comes `after` another in the log. */
interface Due {
  readonly message: Message;
  readonly relayed: Relayed;
  readonly after: bigint;
}

/**
 * Publishes in groups, each written at once and awaited before the next: a write for each message would be most of the
 * work. While one is under way the next is made ready. Without ids a group is one message: nothing says then that what
 * took the expected place is the predecessor.
 */
function groups(publish: (due: Due) => Promise<void>, signal: AbortSignal) {
  let ready: Due[] = [];
  let underWay: Promise<unknown> = Promise.resolve();
  const send = async (): Promise<void> => {
    await orAborted(underWay, signal);
    signal.throwIfAborted();
    const answers = ready.map(publish);
    ready = [];
    underWay = Promise.all(answers);
    // Awaited before the next; until then its failure is not unhandled.
    underWay.catch(() => {});
    for (const answer of answers) answer.catch(() => {});
  };
  return {
    async add(due: Due, together: boolean): Promise<void> {
      ready.push(due);
      if (ready.length >= publishesAtOnce || !together) await send();
    },
    /** Until every answer has come. */
    async flush(): Promise<void> {
      if (ready.length > 0) await send();
      await orAborted(underWay, signal);
    },
  };
}

function headersOf(
  { contentType }: Message,
  { eventId, position, part, parts }: Relayed,
  after: bigint,
): MsgHdrs {
  const told = headers();
  told.set('Content-Type', contentType);
  told.set(relayHeaders.eventId, eventId);
  told.set(relayHeaders.position, String(position));
  told.set(relayHeaders.part, `${part}/${parts}`);
  told.set(relayHeaders.after, String(after));
  return told;
}

/** The place after which the log is to be told. */
async function beginning(
  log: RelayOptions['log'],
  { shape: { name }, from }: Lane,
  last: Relayed | undefined,
): Promise<bigint> {
  if (last === undefined) return from === 'start' ? 0n : log.head();
  const [event] = await log.readAll(last.position - 1n, 1);
  if (event?.id !== last.eventId) throw new AnotherLog(name, last);
  return last.position;
}

/** Rejects when the stream is no longer the one that we fill, or has lost what we put there, even while nothing happens. */
async function look(
  manager: JetStreamManager,
  { shape }: Lane,
  { created }: StreamInfo,
  stored: { readonly sequence: number },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await delay(lookEveryMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const least = stored.sequence;
    const info = await orAborted(streamInfo(manager, shape.name), signal);
    if (info === undefined) throw new Shifted(`the JetStream stream ${shape.name} is gone`);
    if (info.created !== created)
      throw new Shifted(`the JetStream stream ${shape.name} was made anew`);
    const { last_seq: newest, messages } = info.state;
    if (newest < least || (least > 0 && messages === 0 && shape.maxAgeMs === 0))
      throw new Shifted(`the JetStream stream ${shape.name} has lost messages`);
  }
}
