import { upcast } from '../../domain/image/upcast.ts';
import { besideLogUrl, lowestPosition, openEventLog } from '../../infra/event-log/open.ts';
import { sharedFollow } from '../../infra/event-log/shared-follow.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { lease } from '../../infra/leases/lease.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { checkpointMover } from '../../infra/read-model/checkpoints.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { runAudit } from '../audit/part.ts';
import { runExport } from '../export/part.ts';
import { leaseOf } from '../export/standings.ts';
import { logUnprojectable } from '../log-unprojectable.ts';
import { runPart } from '../part.ts';
import { requireSameLog } from '../same-log.ts';
import { takeOvers } from '../take-overs.ts';
import { keepForgetting } from './keep-forgetting.ts';
import { answeredFrom, lookedBackAt, projections, projectionsFor } from './projections.ts';
import { runProjector } from './run-projector.ts';

/** One that writes, one that looks after generations; and one more for all, so that rebuilds never wait for each other; two for the audit tree, two for the export. */
const poolSize = 2 * projections.length + 5;

/** Another takes over within 5 s of a death, its own start included; being wrong costs double work only. */
const longestLeaseMs = 2000;

/** Read models that no success waits for take in what comes in this time at once: a tenth of the commits under load. */
const gatherMs = 10;
/** What is looked back at waits a little longer: whoever looks back waits for it, and nobody else. */
const gatherPastMs = 200;
const gatherFor = (name: string): number => {
  if (answeredFrom.includes(name)) return 0;
  return lookedBackAt.includes(name) ? gatherPastMs : gatherMs;
};

await runPart('projector', process.env, process.argv.slice(2), async (part) => {
  const { config, log: logger, owner, stopping, passStep } = part;
  const postgresUrl = config['postgres-url'];
  if (postgresUrl === undefined) throw new Error('the projector needs --postgres-url');
  const pool = postgresPool(postgresUrl, {
    log: logger,
    max: poolSize,
    applicationName: 'projector',
  });
  const eventLogUrl = config['event-log-url'] ?? postgresUrl;
  const log = await openEventLog(eventLogUrl, { log: logger, upcast });
  await requireSameLog(pool, log);
  const storedLog = await openEventLog(eventLogUrl, { log: logger, upcast: (event) => event });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), {
    log: logger,
    max: 4,
    applicationName: 'audit',
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
  const followed = sharedFollow(log);
  const mover = checkpointMover(pool);
  const auditing = runAudit({
    config,
    log: storedLog,
    pool,
    besideLog,
    lowest: lowestPosition(eventLogUrl),
    lease: lease(leases, { name: 'audit', owner, watch, onTakeOver: () => tookOver('audit') }),
    logger: logger.child({ audit: true }),
    metrics: told,
    stopping,
  });
  const exporting = runExport({
    ...{ config, log, pool, besideLog, stopping },
    leaseOf: (target) =>
      lease(leases, {
        name: leaseOf(target),
        owner,
        watch,
        onTakeOver: () => tookOver('export'),
      }),
    logger: logger.child({ export: true }),
    metrics: told,
  });
  await Promise.all([
    auditing,
    keepForgetting(pool, config['download-history-days'], { logger, stopping }),
    exporting,
    ...kept.map((projection) =>
      runProjector({
        projection,
        pool,
        log: followed,
        mover,
        gatherMs: gatherFor(projection.name),
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
  ]);

  await watch.stop();
  await heartbeat.stop();
  await Promise.all([log.close(), storedLog.close()]);
  await Promise.all([pool.end(), besideLog.end(), leases.end()]);
});
