import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  nanos,
} from 'nats';
import { type EventLog, LogUnavailable, type RecordedEvent } from '../../../domain/event-log.ts';
import { bell } from '../../event-log/bell.ts';
import type { Log } from '../../postgres/log.ts';
import type { Bus } from '../bus.ts';
import type { Nats } from './connection.ts';
import { eventIn } from './lanes.ts';
import { relayedOf, relayHeaders } from './relayed.ts';

export interface NatsBusOptions {
  /** Rejects when `signal` aborts, as it does when the bus is closed. */
  readonly connect: (signal: AbortSignal) => Promise<Nats>;
  readonly log: Pick<EventLog, 'head' | 'follow' | 'readAll'>;
  /** Lifts what an older release relayed. */
  readonly upcast: (event: RecordedEvent) => RecordedEvent;
  /** Of the relay's lane of its own. */
  readonly stream: string;
  /** Of the process, for the consumer's name. */
  readonly owner: string;
  readonly logger: Log;
  /** With nothing heard for so long the log is asked; default a second. */
  readonly silenceMs?: number;
}

const batch = 1_000;
const shortestExpiryMs = 1_000;
/** A consumer whose process is gone goes after this; one that only restarted goes on where it was. */
const inactiveMs = 60_000;
const pauseMs = 200;

/**
 * Follows the relay's stream by a durable consumer, and makes sure of what it hears by the log:
 *
 *     each message names the event before its own ─→ that is our last: give it out
 *                                                  └→ it is not: read from the log up to it
 *     nothing heard for a second                   ─→ read what the log has more, if it has
 *     no server, no stream, no consumer            ─→ the same, every second, until there is one again
 *
 * So an event comes once and in order, from wherever; without the bus it comes up to a second later.
 */
export function natsBus(options: NatsBusOptions): Bus {
  const { connect, log } = options;
  const closing = new AbortController();
  const connecting = connect(closing.signal);
  connecting.catch(() => {});
  return {
    head: () => log.head(),
    follow(after, signal) {
      return following(options, connecting, after, AbortSignal.any([signal, closing.signal]));
    },
    async close() {
      closing.abort();
      await (await connecting.catch(() => undefined))?.close();
    },
  };
}

let followers = 0;

async function* following(
  { log, upcast, stream, owner, logger, silenceMs = 1_000 }: NatsBusOptions,
  connecting: Promise<Nats>,
  after: bigint,
  signal: AbortSignal,
): AsyncGenerator<readonly RecordedEvent[]> {
  followers += 1;
  const hearing = hear({ connecting, stream, name: `${owner}-${followers}`, logger }, signal);
  let last = after;
  let waitMs = 0;
  try {
    while (!signal.aborted) {
      const heard = await hearing.next(waitMs);
      waitMs = silenceMs;
      const next = heard.find(({ position }) => position > last);
      if (next === undefined && heard.length > 0) continue;
      try {
        // What the bus knows nothing of, or has not told us, the log does.
        if (next === undefined || next.after > last)
          for await (const events of missed(log, last, next?.after)) {
            if (signal.aborted) return;
            last = events.at(-1)?.position ?? last;
            yield events;
          }
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error;
        if (!signal.aborted) logger.warn({ err: error }, 'cannot follow the log; trying again');
        await delay(pauseMs, undefined, { signal }).catch(() => {});
        continue;
      }
      const events = inTurn(heard, last).map(({ body }) => upcast(eventIn(body)));
      if (events.length === 0 || signal.aborted) continue;
      last = events.at(-1)?.position ?? last;
      yield events;
    }
  } finally {
    await hearing.stop();
  }
}

interface Heard {
  readonly position: bigint;
  /** Of the event before it in the log. */
  readonly after: bigint;
  readonly body: Uint8Array;
}

/** The events above `last`, up to the first before which one is missing. */
function inTurn(heard: readonly Heard[], last: bigint): readonly Heard[] {
  const next: Heard[] = [];
  for (const one of heard) {
    const reached = next.at(-1)?.position ?? last;
    if (one.position <= reached) continue;
    if (one.after > reached) break;
    next.push(one);
  }
  return next;
}

/** What the log has above `after`, up to `until` or, without it, up to its end. */
async function* missed(
  log: Pick<EventLog, 'readAll'>,
  after: bigint,
  until: bigint | undefined,
): AsyncGenerator<readonly RecordedEvent[]> {
  for (let last = after; until === undefined || last < until; ) {
    const events = await log.readAll(last, batch);
    const newest = events.at(-1);
    if (newest === undefined) return;
    yield events;
    last = newest.position;
  }
}

/** Messages of the stream from now on, as they come; silent while there is no server, stream or consumer. */
function hear(
  {
    connecting,
    stream,
    name,
    logger,
  }: Pick<NatsBusOptions, 'stream' | 'logger'> & {
    readonly connecting: Promise<Nats>;
    readonly name: string;
  },
  signal: AbortSignal,
) {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  let heard: Heard[] = [];
  const news = bell();

  const take = (message: JsMsg): void => {
    const relayed = relayedOf(message.headers);
    if (relayed === undefined) return;
    // Who does not come to take them reads them from the log: this is no place to keep anything.
    if (heard.length >= mostHeard) heard = [];
    const after = BigInt(message.headers?.get(relayHeaders.after) || '0');
    heard.push({ position: relayed.position, after, body: message.data });
    news.ring();
  };

  const listen = async (nats: Nats): Promise<void> => {
    const lost = AbortSignal.any([until, await nats.up(until)]);
    const consumer = await consumerOf(nats, stream, name);
    let fetching: ConsumerMessages | undefined;
    lost.addEventListener('abort', () => void fetching?.close(), { once: true });
    while (!lost.aborted) {
      fetching = await consumer.fetch({ max_messages: batch, expires: shortestExpiryMs });
      for await (const message of fetching) take(message);
    }
  };

  const run = async (): Promise<void> => {
    const nats = await connecting;
    while (!until.aborted)
      try {
        await listen(nats);
      } catch (error) {
        if (until.aborted) break;
        logger.info({ err: error, stream }, 'the bus tells nothing; the log is asked instead');
        await delay(pauseMs, undefined, { signal: until }).catch(() => {});
      }
    const manager = await nats.connection.jetstreamManager({ checkAPI: false, timeout: 500 });
    await manager.consumers.delete(stream, name);
  };
  const running = run().catch(() => {});

  return {
    /** What came since the last time, as soon as there is something; nothing after `waitMs`, or when `signal` aborts. */
    async next(waitMs: number): Promise<readonly Heard[]> {
      const { rings } = news;
      if (heard.length === 0) await news.past(rings, waitMs, until);
      const taken = heard;
      heard = [];
      return taken;
    },
    async stop() {
      stop.abort();
      await Promise.race([running, delay(1_000, undefined, { ref: false })]);
    },
  };
}

const mostHeard = 10_000;

async function consumerOf(nats: Nats, stream: string, name: string): Promise<Consumer> {
  const { connection } = nats;
  const manager = await connection.jetstreamManager({ checkAPI: false });
  await manager.consumers.add(stream, {
    durable_name: name,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.New,
    inactive_threshold: nanos(inactiveMs),
  });
  return connection.jetstream().consumers.get(stream, name);
}
