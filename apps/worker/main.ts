import { upcast } from '../../domain/image/upcast.ts';
import { digestThreads } from '../../infra/digests/digest-threads.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { postgresImportTokens } from '../../infra/import-tokens/tokens.ts';
import { queueConnection } from '../../infra/jobs/bullmq/connection.ts';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { lease } from '../../infra/leases/lease.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { postgresBoard } from '../../infra/progress/postgres.ts';
import { openHoldLocks } from '../../infra/retention/hold-locks.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { storesOf } from '../../infra/store/stores.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { runBulk } from '../bulk/part.ts';
import { openBus } from '../bus.ts';
import { quotaPartsOf } from '../gateway/quota-of.ts';
import { sessionElsewhere } from '../gateway/regions-of.ts';
import { handleImage } from '../handle-image.ts';
import { runPart } from '../part.ts';
import { requireSameLog } from '../same-log.ts';
import { shareByteDirs } from '../shared-byte-dirs.ts';
import { runWebhooks } from '../webhooks/part.ts';
import { downloads } from './downloads.ts';
import { freeRoom } from './fetch.ts';
import { anyGrowth, fetchRooms, growthRooms } from './fetch-room.ts';
import { workerMetrics } from './metrics.ts';
import { configuredPlugins } from './plugins.ts';
import { settleQuotas } from './quota.ts';
import { runWorker } from './worker.ts';

await runPart('worker', process.env, process.argv.slice(2), async (part) => {
  const { config, log: logger, owner, stopping, passStep } = part;
  const postgresUrl = config['postgres-url'];
  if (postgresUrl === undefined) throw new Error('the worker needs --postgres-url');
  const leaseMs = config['lease-ms'];
  const pool = postgresPool(postgresUrl, {
    log: logger,
    max: 3,
    applicationName: 'worker',
    queryTimeoutMs: 15_000,
  });
  const leases = postgresPool(postgresUrl, {
    log: logger,
    max: 3,
    applicationName: 'worker',
    queryTimeoutMs: leaseMs / 2,
  });
  const log = await openEventLog(config['event-log-url'] ?? postgresUrl, {
    log: logger,
    upcast,
  });
  await requireSameLog(pool, log);
  const redisUrl = config['redis-url'];
  const queue = bullmqJobQueue(await queueConnection({ redisUrl, postgresUrl }, logger), logger);
  const told = processMetrics('worker');
  const metrics = workerMetrics(told, () => queue.depth());
  const heartbeat = startHeartbeat(leases, {
    owner,
    part: 'worker',
    intervalMs: leaseMs / 4,
    log: logger,
    metrics: told.snapshot,
  });
  const leaveByteDirs = await shareByteDirs(part, leases);
  const watch = deathWatch(leases, { leaseMs, log: logger });
  const threads = digestThreads({
    ...(config['digest-threads'] === undefined ? {} : { count: config['digest-threads'] }),
    onHalf: () => passStep('worker.digests-half'),
  });
  const dispatcherLease = lease(leases, {
    name: 'dispatcher',
    owner,
    watch,
    onTakeOver: (from) => {
      metrics.tookOver('dispatcher');
      logger.warn({ from }, 'took dispatching over from a dead worker');
    },
  });

  const quota = quotaPartsOf(config, { log, logger, owner, queries: pool, postgresUrl });
  const settling = async (): Promise<void> => {
    if (quota === null) return;
    const { ledger, quotas } = quota;
    const ports = { log, handle: handleImage(log), ledger, quotas, watch, logger };
    const everyMs = Math.min(1_000, leaseMs / 4);
    await settleQuotas({ ...ports, patienceMs: leaseMs }, everyMs, stopping);
  };
  const settled = settling();
  const bus = await openBus(config, { log, owner, logger });

  const telling = runWebhooks({
    ...{ config, postgresUrl, owner, log, leases, logger, stopping, metrics: told },
    onTakeOver: () => metrics.tookOver('webhook'),
  });
  const importing = runBulk({
    ...{ config, postgresUrl, owner, log, bus, leases, watch, logger, passStep, stopping },
    onTakeOver: () => metrics.tookOver('bulk-imports'),
  });
  const plugins = await configuredPlugins(config);
  const besideLog = postgresPool(
    besideLogUrl(config['event-log-url'] ?? postgresUrl, postgresUrl),
    {
      log: logger,
      max: 1,
      applicationName: 'worker',
      queryTimeoutMs: 15_000,
    },
  );
  const tokens = postgresImportTokens(besideLog);
  const elsewhere = sessionElsewhere(config);
  const fetcher = downloads(config, { threads, tokens, login: elsewhere });
  const progress = postgresBoard(leases, { logger });
  const holdLocks = openHoldLocks(postgresUrl, { log: logger, applicationName: 'worker', max: 1 });
  part.ready();
  await runWorker(
    {
      owner,
      log,
      bus,
      images: imageQueries(pool),
      queue,
      staging: filesystemStaging(config['staging-dir']),
      stores: storesOf(config),
      locations: {
        secureHash: config['do-secure-hash'],
        tries: config['http-retries'],
        pauseMs: 1_000,
        sizeCap: config['image-size-cap'],
      },
      downloads: {
        fetcher,
        roomFor: quota === null ? async () => freeRoom : fetchRooms(quota.holds),
        sizeCap: config['image-size-cap'],
      },
      progress,
      tokens,
      plugins,
      growthFor: quota === null ? anyGrowth : growthRooms(quota.holds),
      threads,
      ...(quota === null ? {} : { heard: quota.holds.heard }),
      watch,
      dispatcherLease,
      holdLocks,
      metrics,
      logger,
      passStep,
    },
    {
      slots: config['worker-slots'],
      projectBudget: config['project-ingest-limit'],
      sweepIntervalMs: config['sweep-interval-ms'],
      stagingTimeoutMs: config['staging-timeout'] * 1_000,
      reconcileIntervalMs: Math.min(1_000, leaseMs / 4),
      leaseIntervalMs: leaseMs / 8,
    },
    stopping,
  );

  await settled;
  await quota?.close();
  await importing;
  await bus.close();
  await telling;
  fetcher.close();
  elsewhere?.close();
  await progress.close();
  await queue.close();
  await threads.close();
  await watch.stop();
  await leaveByteDirs();
  await heartbeat.stop();
  await log.close();
  await holdLocks.close();
  await Promise.all([pool.end(), besideLog.end(), leases.end()]);
});
