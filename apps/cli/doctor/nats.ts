import type { JetStreamManager, NatsConnection } from 'nats';
import { connectNats } from '../../../infra/bus/nats/connection.ts';
import { eventsLane, ownLane } from '../../../infra/bus/nats/lanes.ts';
import { notificationsLane } from '../../../infra/bus/nats/notifications-lane.ts';
import { type StreamShape, shapeDifferences, streamInfo } from '../../../infra/bus/nats/streams.ts';
import type { Config } from '../../../infra/config/config.ts';
import { busPlace, natsAccess } from '../../nats.ts';
import { reasonOf } from '../../reason.ts';
import { examine, type Finding, type Findings } from './finding.ts';

const withinMs = 5_000;

export async function examineNats(config: Config): Promise<readonly Finding[]> {
  const access = natsAccess(config);
  if (access === undefined) return [];
  return examine(
    'nats',
    async (found) => {
      let why: unknown;
      const log = {
        info() {},
        warn(said: unknown) {
          why = said instanceof Object && 'err' in said ? said.err : why;
        },
        error() {},
      };
      const signal = AbortSignal.timeout(withinMs);
      const nats = await connectNats(access, { name: 'daguerre doctor', log, signal }).catch(
        (error) => {
          throw why ?? error;
        },
      );
      try {
        await jetStream(nats.connection, config, found);
      } finally {
        await nats.close();
      }
    },
    'look at --nats-url and the credentials, and whether that server runs',
  );
}

async function jetStream(
  connection: NatsConnection,
  config: Config,
  found: Findings,
): Promise<void> {
  const version = connection.info?.version ?? '';
  found.ok(`nats-server ${version} answers`);
  const manager = await connection.jetstreamManager({ checkAPI: false, timeout: withinMs });
  try {
    await manager.getAccountInfo();
  } catch (error) {
    found.fail(
      `JetStream does not answer (${reasonOf(error)}): put a jetstream block into the server's configuration`,
    );
    return;
  }
  for (const shape of shapesOf(config)) await stream(manager, shape, found);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 2 && minor < 10)
    found.warn(
      'flushes to disk minutes after it acknowledges, and knows no sync_interval before 2.10: what a power cut takes is published again',
    );
}

async function stream(
  manager: JetStreamManager,
  shape: StreamShape,
  found: Findings,
): Promise<void> {
  const info = await streamInfo(manager, shape.name);
  if (info === undefined) {
    found.warn(`there is no stream ${shape.name}: the relay makes it; does one run?`);
    return;
  }
  const differences = shapeDifferences(info, shape);
  if (differences.length === 0) found.ok(`stream ${shape.name}: ${info.state.messages} messages`);
  else
    found.fail(
      `stream ${shape.name} has another shape: ${differences.join('; ')}. Change it (nats stream edit), or delete it: it is made again`,
    );
}

/** Of the streams that a relay keeps; their messages are not asked for here. */
function shapesOf(config: Config): readonly StreamShape[] {
  const place = busPlace(config);
  const log = { readStream: () => Promise.reject(new Error('the doctor tells nothing outside')) };
  const publisherId = config['default-publisher-id'];
  return [
    ownLane(place),
    eventsLane(log, place),
    notificationsLane(log, place, { publisherId, disabled: [] }),
  ].map(({ shape }) => shape);
}
