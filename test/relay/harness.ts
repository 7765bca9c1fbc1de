import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import type { NatsConnection } from 'nats';
import { runLane } from '../../apps/relay/run-lane.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { exposureOf } from '../../domain/outside/exposure.ts';
import { ownerMoveIn } from '../../domain/outside/standing.ts';
import { connectNats } from '../../infra/bus/nats/connection.ts';
import { type BusPlace, eventsLane } from '../../infra/bus/nats/lanes.ts';
import type { Lane } from '../../infra/bus/nats/relay.ts';
import { relayedOf } from '../../infra/bus/nats/relayed.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { history } from '../projections/history.ts';
import { type NatsServer, natsServer } from '../support/nats.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { silent } from '../support/silent-log.ts';
import { decidedLog } from '../support/told-outside.ts';
import { until } from '../support/until.ts';

export const place: BusPlace = {
  stream: 'DAGUERRE',
  region: 'RegionOne',
  maxAgeMs: 0,
  maxBytes: 0,
  duplicateWindowMs: 120_000,
  replicas: 1,
};

export const always: Lease = { tryHold: async () => true, release: async () => {} };

/** Of what no relay publishes. */
export const strangeSubject = 'daguerre.v1.RegionOne.image._.x.Strange';

/** What a message in the stream says. */
export interface Stored {
  readonly seq: number;
  readonly subject: string;
  readonly msgId: string;
  readonly position: bigint;
  readonly part: string;
  readonly document: { readonly [key: string]: unknown };
}

export interface StartedRelay {
  readonly position: () => bigint;
  readonly warnings: readonly string[];
  stop(): Promise<void>;
}

/** A log in memory, a real server, and relays between them. */
export async function site(given: { server?: NatsServer; lane?: (log: EventLog) => Lane } = {}) {
  const server = given.server ?? (await natsServer());
  const log = decidedLog(memoryEventLog({ upcast }));
  const seed = seedOfThisRun();
  const life = history(log, seed, 40);
  const laneOf = given.lane ?? ((events: EventLog) => eventsLane(events, place));
  const relays = new Set<StartedRelay>();
  after(async () => {
    await Promise.all([...relays].map((relay) => relay.stop()));
    await log.close();
  });

  const startRelay = async (
    options: {
      lease?: Lease;
      lane?: Lane;
      url?: string;
      onUntold?: (event: RecordedEvent) => void;
    } = {},
  ): Promise<StartedRelay> => {
    const stopping = new AbortController();
    const warnings: string[] = [];
    const nats = await connectNats(
      { urls: [options.url ?? server.url] },
      { name: 'relay', log: silent, signal: stopping.signal },
    );
    let position = -1n;
    const told = logger('test', 'silent');
    told.warn = ((entry: { err?: Error }) => {
      if (entry.err !== undefined) warnings.push(entry.err.message);
    }) as typeof told.warn;
    const running = runLane({
      nats,
      log,
      lane: options.lane ?? laneOf(log),
      logger: told,
      lease: options.lease ?? always,
      stopping: stopping.signal,
      onRelayed: (at) => {
        position = at;
      },
      onStandby: () => {},
      onUntold: options.onUntold ?? (() => {}),
      leasePollMs: 20,
    });
    const relay: StartedRelay = {
      position: () => position,
      warnings,
      async stop() {
        relays.delete(relay);
        stopping.abort();
        await running;
        await nats.close();
      },
    };
    relays.add(relay);
    return relay;
  };

  /** Positions of what the log has to tell outside, in order: twice of what changes hands. */
  const expected = async (): Promise<readonly bigint[]> =>
    (await log.readAll(0n, 1_000_000))
      .filter((event) => exposureOf(event) !== 'inside')
      .flatMap((event) => (ownerMoveIn(event) === undefined ? [event] : [event, event]))
      .map(({ position }) => position);

  return {
    server,
    log,
    life,
    seed,
    startRelay,
    expected,
    /** Waits until the stream tells all that the log has, and checks that it does so without gap, repeat or disorder. */
    async assertWhole(stream = place.stream): Promise<readonly Stored[]> {
      const wanted = await expected();
      const connection = await server.connect();
      try {
        const found = await until(
          `${wanted.length} messages in ${stream} (seed ${seed})`,
          async () => {
            const all = await messagesIn(connection, stream).catch(() => []);
            const last = all.at(-1);
            return last !== undefined && endsWith(last, wanted.at(-1)) && all;
          },
        );
        assert.deepEqual(
          found.map(({ position }) => position),
          wanted,
          `seed ${seed}`,
        );
        assert.equal(new Set(found.map(({ document }) => document.id)).size, new Set(wanted).size);
        return found;
      } finally {
        await connection.close();
      }
    },
  };
}

/** Whether it is the last message of the event there. */
function endsWith({ position, part }: Stored, wanted: bigint | undefined): boolean {
  const [at, of] = part.split('/');
  return position === wanted && at === of;
}

export type Site = Awaited<ReturnType<typeof site>>;

/** Every message of a stream, by a consumer of its own. */
export async function messagesIn(
  connection: NatsConnection,
  stream: string,
): Promise<readonly Stored[]> {
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info(stream);
  if (state.messages === 0) return [];
  const name = `test-${randomUUID()}`;
  const jetStream = connection.jetstream();
  await manager.consumers.add(stream, { durable_name: name, ack_policy: 'none' as never });
  const consumer = await jetStream.consumers.get(stream, name);
  const found: Stored[] = [];
  let seen = 0;
  while (seen < state.messages) {
    const before = seen;
    for await (const message of await consumer.fetch({ max_messages: 5_000, expires: 1_000 })) {
      seen += 1;
      if (message.subject === strangeSubject) continue;
      const relayed = relayedOf(message.headers);
      assert.ok(relayed, `a message without a position at ${message.seq}`);
      found.push({
        seq: message.seq,
        subject: message.subject,
        msgId: message.headers?.get('Nats-Msg-Id') ?? '',
        position: relayed.position,
        part: `${relayed.part}/${relayed.parts}`,
        document: message.json(),
      });
      if (seen >= state.messages) break;
    }
    if (seen > before) continue;
    // What was on its way when a fetch ended is gone, since nobody acknowledges here: from the start again.
    await manager.consumers.delete(stream, name);
    return messagesIn(connection, stream);
  }
  await manager.consumers.delete(stream, name);
  return found;
}
