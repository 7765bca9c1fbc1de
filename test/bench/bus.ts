import { randomUUID } from 'node:crypto';
import { AckPolicy, DeliverPolicy, type NatsConnection } from 'nats';
import { upcast } from '../../domain/image/upcast.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { startNatsServer } from '../support/nats.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { atConcurrency, percentiles } from './load.ts';
import { asNew, life } from './log.ts';
import { paced } from './paced.ts';

export interface BusFigures {
  /** From the call of the append to the message in a JetStream consumer's hands, at `perSecond` events. */
  readonly perSecond: number;
  readonly consumedP50Ms: number;
  readonly consumedP99Ms: number;
  /** Of a relay that fills its stream from nothing. */
  readonly relayedEvents: number;
  readonly relayPerSecond: number;
}

const stream = 'DAGUERRE';
const perSecond = 200;
const seedWriters = 256;
/** On a busy machine. */
const timeoutMs = 600_000;

/** A system of its own with a real nats-server beside it. */
export async function measureBus(counts: {
  readonly appends: number;
  readonly images: number;
}): Promise<BusFigures> {
  const nats = await startNatsServer();
  try {
    const args = ['--log-level', 'warn', '--nats-url', nats.url];
    const daguerre = await startDaguerre({ args });
    const connection = await nats.connect();
    const log = postgresEventLog(daguerre.postgresUrl, { log: silent, upcast });
    try {
      const append = (events: typeof life) =>
        log.append(`image-${randomUUID()}`, events.map(asNew), -1);
      const manager = await connection.jetstreamManager();
      const messages = async (): Promise<number> =>
        (await manager.streams.info(stream).catch(() => undefined))?.state.messages ?? 0;
      await append(life);
      await until('the relay to begin', async () => (await messages()) > 0);
      const waits = await consumed(connection, counts.appends, async () => {
        const began = performance.now();
        return [String(await append(life.slice(0, 1))), began];
      });
      await atConcurrency(seedWriters, counts.images, () => append(life));
      const all = life.length * (counts.images + 1) + counts.appends;
      await until('the relay to tell all', async () => (await messages()) === all, { timeoutMs });
      await manager.streams.delete(stream);
      await until('the stream to be there again', async () => (await messages()) > 0, {
        everyMs: 5,
      });
      const [began, already] = [performance.now(), await messages()];
      await until('the relay to fill the stream', async () => (await messages()) === all, {
        timeoutMs,
      });
      const { p50Ms, p99Ms } = percentiles(waits);
      return {
        perSecond,
        consumedP50Ms: p50Ms,
        consumedP99Ms: p99Ms,
        relayedEvents: all,
        relayPerSecond: ((all - already) / (performance.now() - began)) * 1000,
      };
    } finally {
      await log.close();
      await connection.close();
      await daguerre.stop();
    }
  } finally {
    await nats.remove();
  }
}

/** How long each of so many took to reach a durable consumer; `append` gives its position and when it began. */
async function consumed(
  connection: NatsConnection,
  count: number,
  append: () => Promise<readonly [string, number]>,
): Promise<readonly number[]> {
  const manager = await connection.jetstreamManager();
  await manager.consumers.add(stream, {
    durable_name: 'bench',
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.New,
  });
  const consumer = await connection.jetstream().consumers.get(stream, 'bench');
  const arrived = new Map<string, number>();
  const consuming = await consumer.consume({
    callback: (message) => {
      arrived.set(message.headers?.get('Daguerre-Position') ?? '', performance.now());
      message.ack();
    },
  });
  const began = await paced(count, perSecond, append);
  await until('every event to be consumed', () => arrived.size >= count);
  await consuming.close();
  return began.map(([position, at]) => (arrived.get(position) ?? Number.NaN) - at);
}
