import { AckPolicy, type ConsumerMessages, Events, type NatsConnection, nanos } from 'nats';
import type { NatsServer } from '../../support/nats.ts';
import { type Heard, heardOf, persistently, type Subscriber } from './subscriber.ts';

const durable = 'integrator';
const stream = 'DAGUERRE';
const ackWaitMs = 2_000;

/** A durable consumer with acknowledgements, as the README shows one: made again when it is gone with its stream. */
export async function jetStreamSubscriber(
  server: NatsServer,
  filter = 'daguerre.v1.RegionOne.image.>',
): Promise<Subscriber> {
  const connection = await server.connect();
  const heard: Heard[] = [];
  let fetching: ConsumerMessages | undefined;
  void onDisconnect(connection, () => fetching?.close());
  const reading = persistently(async () => {
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: 1_000 });
    await manager.consumers.add(stream, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      // Else what is lost on its way, or with this process, comes again after what follows it.
      max_ack_pending: 1,
      ack_wait: nanos(ackWaitMs),
      filter_subject: filter,
    });
    const consumer = await connection.jetstream().consumers.get(stream, durable);
    fetching = await consumer.fetch({ max_messages: 200, expires: 1_000 });
    for await (const message of fetching) {
      heard.push(heardOf(message.json()));
      message.ack();
    }
  });
  return {
    kind: 'JetStream',
    order: 'of the log',
    heard,
    interruptions: reading.failures,
    async stop() {
      void fetching?.close();
      await reading.stop();
      await connection.close();
    },
  };
}

async function onDisconnect(connection: NatsConnection, act: () => unknown): Promise<void> {
  for await (const { type } of connection.status()) if (type === Events.Disconnect) act();
}
