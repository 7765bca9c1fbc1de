import { upcast } from '../../domain/image/upcast.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { lease } from '../../infra/leases/lease.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { logUnprojectable } from '../log-unprojectable.ts';
import { runPart } from '../part.ts';
import { takeOvers } from '../take-overs.ts';
import { projections, projectionsFor } from './projections.ts';
import { runProjector } from './run-projector.ts';

/** One that writes, one that looks after generations; and one more for all, so that rebuilds never wait for each other. */
const poolSize = 2 * projections.length + 1;

/** Another takes over within 5 s of a death, its own start included; being wrong costs double work only. */
const longestLeaseMs = 2000;

await runPart('projector', process.env, process.argv.slice(2), async (part) => {
  const { config, log: logger, owner, stopping, passStep } = part;
  const postgresUrl = config['postgres-url'];
  if (postgresUrl === undefined) throw new Error('the projector needs --postgres-url');
  const pool = postgresPool(postgresUrl, {
    log: logger,
    max: poolSize,
    applicationName: 'projector',
  });
  const log = await openEventLog(config['event-log-url'] ?? postgresUrl, {
    log: logger,
    upcast,
  });
  const told = processMetrics('projector');
  const tookOver = takeOvers(told);
  const unprojectable = told.counter(
    'events_unprojectable_total',
    'Events that no read model could store: their effect cannot be seen.',
    ['model'],
  );
  const leaseMs = Math.min(config['lease-ms'], longestLeaseMs);
  const leases = postgresPool(postgresUrl, {
    log: logger,
    max: 2,
    applicationName: 'projector leases',
    queryTimeoutMs: leaseMs / 2,
  });
  const heartbeat = startHeartbeat(leases, {
    owner,
    part: 'projector',
    intervalMs: leaseMs / 4,
    log: logger,
    metrics: told.snapshot,
  });
  const watch = deathWatch(leases, { leaseMs, log: logger });

  const kept = projectionsFor(config);
  const notReady = new Set(kept);
  await Promise.all(
    kept.map((projection) =>
      runProjector({
        projection,
        pool,
        log,
        logger: logger.child({ model: projection.name }),
        lease: lease(leases, {
          name: `projector-${projection.name}`,
          owner,
          watch,
          onTakeOver: (from) => {
            tookOver('projector');
            logger.warn(
              { from, model: projection.name },
              'took the read model over from a dead projector',
            );
          },
        }),
        onUnprojectable(event, error) {
          unprojectable({ model: projection.name });
          logUnprojectable(logger, event, error);
        },
        passStep,
        stopping,
        onReady() {
          notReady.delete(projection);
          if (notReady.size === 0) part.ready();
        },
      }),
    ),
  );

  await watch.stop();
  await heartbeat.stop();
  await log.close();
  await Promise.all([pool.end(), leases.end()]);
});
