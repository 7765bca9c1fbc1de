import type { JetStreamManager, MsgHdrs, StoredMsg, StreamInfo } from 'nats';
import { isNotFound } from './streams.ts';

/**
 * How far a stream is, told by its own last message, since nothing else can know that:
 *
 *     Nats-Msg-Id         id of the message, for the server's own dropping of repeats
 *     Daguerre-Event-Id   the event that it tells of
 *     Daguerre-Position   that event's place in the log
 *     Daguerre-Part       1/2: the first of two messages of one event
 *     Daguerre-After      place of the event before it in the log
 */
export const relayHeaders = {
  eventId: 'Daguerre-Event-Id',
  position: 'Daguerre-Position',
  part: 'Daguerre-Part',
  after: 'Daguerre-After',
} as const;

export interface Relayed {
  readonly eventId: string;
  readonly position: bigint;
  /** 1, 2 … among the messages of the event, of which there are `parts`. */
  readonly part: number;
  readonly parts: number;
}

export class NotOurs extends Error {
  constructor(stream: string) {
    super(
      `the JetStream stream ${stream} ends in messages that no relay wrote: remove them, or delete it (it is made again ` +
        'and filled from the log)',
    );
    this.name = 'NotOurs';
  }
}

/** Messages that somebody else published, or removed, at the end of a stream are passed over; no more than these. */
const mostPassedOver = 1_000;

/** The last event that is really in the stream; undefined when there is none. */
export async function lastRelayed(
  manager: JetStreamManager,
  { config: { name }, state }: StreamInfo,
): Promise<Relayed | undefined> {
  if (state.messages === 0) return undefined;
  const lowest = Math.max(state.first_seq, state.last_seq - mostPassedOver);
  for (let seq = state.last_seq; seq >= lowest; seq--) {
    const relayed = relayedOf((await messageAt(manager, name, seq))?.header);
    if (relayed !== undefined) return relayed;
  }
  throw new NotOurs(name);
}

export function relayedOf(headers: MsgHdrs | undefined): Relayed | undefined {
  const eventId = headers?.get(relayHeaders.eventId) ?? '';
  const position = headers?.get(relayHeaders.position) ?? '';
  const [, part = '', parts = ''] =
    /^(\d+)\/(\d+)$/.exec(headers?.get(relayHeaders.part) ?? '') ?? [];
  if (eventId === '' || !/^\d+$/.test(position) || parts === '') return undefined;
  return { eventId, position: BigInt(position), part: Number(part), parts: Number(parts) };
}

async function messageAt(
  manager: JetStreamManager,
  stream: string,
  seq: number,
): Promise<StoredMsg | undefined> {
  try {
    return await manager.streams.getMessage(stream, { seq });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
