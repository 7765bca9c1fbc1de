import { setTimeout as delay } from 'node:timers/promises';
import { upcast } from '../../domain/image/upcast.ts';
import { connectNats, type Nats, natsOptions } from '../../infra/bus/nats/connection.ts';
import { eventsLane, ownLane } from '../../infra/bus/nats/lanes.ts';
import { notificationsLane } from '../../infra/bus/nats/notifications-lane.ts';
import type { Lane } from '../../infra/bus/nats/relay.ts';
import { ensureStream, StreamMismatch } from '../../infra/bus/nats/streams.ts';
import { ConfigError } from '../../infra/config/config.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { lease } from '../../infra/leases/lease.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { busPlace, natsAccess } from '../nats.ts';
import { runPart } from '../part.ts';
import { takeOvers } from '../take-overs.ts';
import { relayMetrics } from './metrics.ts';
import { runLane } from './run-lane.ts';

/** Another takes over within 5 s of a death, its own start included; being wrong costs double work only. */
const longestLeaseMs = 2000;
/** A server that is there is looked at before the start is called a success. */
const firstLookMs = 2000;

await runPart('relay', process.env, process.argv.slice(2), async (part) => {
  const { config, log: logger, owner, stopping } = part;
  const postgresUrl = config['postgres-url'];
  if (postgresUrl === undefined) throw new Error('the relay needs --postgres-url');
  const access = natsAccess(config);
  if (access === undefined) throw new ConfigError(['--nats-url: the relay needs it']);
  try {
    natsOptions(access, owner);
  } catch (error) {
    throw new ConfigError([`NATS: ${(error as Error).message}`]);
  }
  const log = await openEventLog(config['event-log-url'] ?? postgresUrl, { log: logger, upcast });
  const place = busPlace(config);
  const lanes = [
    ownLane(place),
    eventsLane(log, place),
    notificationsLane(log, place, {
      publisherId: config['default-publisher-id'],
      disabled: config['disabled-notifications'],
    }),
  ];
  const told = processMetrics('relay');
  const metrics = relayMetrics(told, log);
  const tookOver = takeOvers(told);
  const leaseMs = Math.min(config['lease-ms'], longestLeaseMs);
  const leases = postgresPool(postgresUrl, {
    log: logger,
    max: 3,
    applicationName: 'relay leases',
    queryTimeoutMs: leaseMs / 2,
  });
  const heartbeat = startHeartbeat(leases, {
    owner,
    part: 'relay',
    intervalMs: leaseMs / 4,
    log: logger,
    metrics: told.snapshot,
  });
  const watch = deathWatch(leases, { leaseMs, log: logger });
  const stop = async (): Promise<void> => {
    await watch.stop();
    await heartbeat.stop();
    await log.close();
    await leases.end();
  };

  // NATS may come later than we: nothing is remembered there alone.
  const connecting = connectNats(access, { name: owner, log: logger, signal: stopping }).catch(
    () => undefined,
  );
  await refuseMismatch(await within(firstLookMs, connecting), lanes);
  part.ready();
  const nats = await connecting;
  if (nats === undefined) return stop();
  await Promise.all(
    lanes.map((lane) =>
      runLane({
        nats,
        log,
        lane,
        logger: logger.child({ stream: lane.shape.name }),
        lease: lease(leases, {
          name: `relay-${lane.name}`,
          owner,
          watch,
          onTakeOver: (from) => {
            tookOver(`relay-${lane.name}`);
            logger.warn({ from, lane: lane.name }, 'took a stream over from a dead relay');
          },
        }),
        stopping,
        onRelayed: (position) => metrics.relayed(lane, position),
        onStandby: () => metrics.standsBy(lane),
        onUntold(event, error) {
          metrics.untold(lane);
          const { streamId, revision, position } = event;
          logger.error(
            { err: error, lane: lane.name, streamId, revision, position: String(position) },
            'an event cannot be told outside; it is passed over',
          );
        },
      }),
    ),
  );
  await nats.close();
  await stop();
});

function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | undefined> {
  return Promise.race([promise, delay(ms, undefined, { ref: false })]);
}

/** At the start; later the lanes say it in their logs and wait for it to be mended. */
async function refuseMismatch(nats: Nats | undefined, lanes: readonly Lane[]): Promise<void> {
  if (nats === undefined) return;
  try {
    const manager = await nats.connection.jetstreamManager({ checkAPI: false });
    for (const { shape } of lanes) await ensureStream(manager, shape);
  } catch (error) {
    if (error instanceof StreamMismatch) throw new ConfigError([error.message]);
  }
}
