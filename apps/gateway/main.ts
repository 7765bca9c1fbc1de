import { bulkAccess } from '../../domain/bulk/access.ts';
import { historyAccess } from '../../domain/history/access.ts';
import { access } from '../../domain/image/access.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { metadefAccess } from '../../domain/metadef/access.ts';
import { webhookAccess } from '../../domain/webhook/access.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { postgresImportTokens } from '../../infra/import-tokens/tokens.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { metricsOfParts, startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { importGuard } from '../../infra/net/import-guard.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { postgresProgressReader } from '../../infra/progress/postgres.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { openHoldLocks } from '../../infra/retention/hold-locks.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { storesOf } from '../../infra/store/stores.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { posterOf } from '../../infra/webhooks/poster-of.ts';
import { postgresProgress } from '../../infra/webhooks/progress-store.ts';
import { postgresVault } from '../../infra/webhooks/vault.ts';
import { bulkProjection } from '../../projections/bulk/projection.ts';
import { bulkQueries } from '../../projections/bulk/queries.ts';
import { downloadsProjection } from '../../projections/downloads/projection.ts';
import { downloadQueries } from '../../projections/downloads/queries.ts';
import { eventsProjection } from '../../projections/events/projection.ts';
import { eventQueries } from '../../projections/events/queries.ts';
import { keptPast } from '../../projections/history/kept-past.ts';
import { pastQueries } from '../../projections/history/past.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { metadefQueries } from '../../projections/metadefs/queries.ts';
import { taskQueries } from '../../projections/tasks/queries.ts';
import { webhooksProjection } from '../../projections/webhooks/projection.ts';
import { webhookQueries } from '../../projections/webhooks/queries.ts';
import { renewRecordsMs } from '../audit/expire.ts';
import { openBus } from '../bus.ts';
import { runPart } from '../part.ts';
import { answeredFrom, answersConcernedBy } from '../projector/projections.ts';
import { requireSameLog } from '../same-log.ts';
import { shareByteDirs } from '../shared-byte-dirs.ts';
import { app } from './app.ts';
import { openAudit } from './audit/open.ts';
import { recordDownloads } from './downloads/record.ts';
import { settleLost } from './downloads/settle-lost.ts';
import { recordingSwitches } from './downloads/switches.ts';
import { usualPace } from './events/stream.ts';
import { forgetHowFar } from './history/as-of.ts';
import { houseRulesFrom } from './house-rules.ts';
import { identityOf } from './identity-of.ts';
import { logTail } from './log-tail.ts';
import { type Near, near } from './near.ts';
import { quotaOf } from './quota-of.ts';
import { defaultBounds, recordRefusals } from './refusals.ts';
import { offeredMethods, regionsOf } from './regions-of.ts';
import { gatewayServer } from './server.ts';

const queryConnections = 8;
/** A Postgres that does not answer for so long has gone without a word. */
const queryTimeoutMs = 15_000;
/** Requests that run may end for this long when the gateway stops; then uploads are broken off and get as long to answer. */
const graceMs = 5_000;
const hourMs = 3_600_000;

await runPart('gateway', process.env, process.argv.slice(2), async (part) => {
  const { config, log: logger, owner, stopping, passStep } = part;
  const postgresUrl = config['postgres-url'];
  if (postgresUrl === undefined) throw new Error('the gateway needs --postgres-url');
  const eventLogUrl = config['event-log-url'] ?? postgresUrl;
  const leaseMs = config['lease-ms'];
  const { policy, protections } = operatorsRules(config);
  const houseRules = houseRulesFrom(config);
  if (policy.retired.length > 0)
    logger.warn({ rules: policy.retired }, 'the policy file has rules that no call asks any more');

  const queries = postgresPool(postgresUrl, {
    log: logger,
    max: queryConnections,
    applicationName: 'gateway',
    queryTimeoutMs,
  });
  const leases = postgresPool(postgresUrl, {
    log: logger,
    max: 2,
    applicationName: 'gateway',
    queryTimeoutMs: leaseMs / 2,
  });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), {
    log: logger,
    max: 2,
    applicationName: 'gateway',
    queryTimeoutMs,
  });
  const log = await openEventLog(eventLogUrl, { log: logger, upcast });
  await requireSameLog(queries, log);
  const audit = await openAudit(eventLogUrl, { queries, besideLog, policy, log: logger });
  const changes = historyQueries(queries);
  const past = keptPast(pastQueries(queries), {
    weight: config['answer-cache-mib'] * 1024 * 1024,
  });
  const shown = visible(queries, postgresUrl, {
    log: logger,
    models: answeredFrom,
    concerns: answersConcernedBy,
    onLost() {
      nearby?.forget();
      switches.forget();
      past.forget();
      forgetHowFar(changes);
    },
  });
  let nearby: Near | undefined;
  const switches = recordingSwitches({
    log,
    isOnByDefault: config['record-downloads'] === 'on',
    isCurrent: () => nearby?.isCurrent() === true,
  });
  const toldOutside = visible(queries, postgresUrl, {
    log: logger,
    models: [eventsProjection.name],
  });
  const webhooksShown = visible(queries, postgresUrl, {
    log: logger,
    models: [webhooksProjection.name],
  });
  const bulkShown = visible(queries, postgresUrl, {
    log: logger,
    models: [bulkProjection.name],
  });
  const historyShown = visible(queries, postgresUrl, {
    log: logger,
    models: [historyProjection.name],
  });
  const downloadsShown = visible(queries, postgresUrl, {
    log: logger,
    models: [downloadsProjection.name],
  });
  const poster = posterOf(config);
  const heartbeat = startHeartbeat(leases, {
    owner,
    part: 'gateway',
    intervalMs: leaseMs / 4,
    log: logger,
  });
  const leaveByteDirs = await shareByteDirs(part, leases);
  const watch = deathWatch(leases, { leaseMs, log: logger });
  const following = new AbortController();
  const bus = await openBus(config, { log, owner, logger });
  const tail = await logTail(bus, following.signal);
  const ownTail = config['nats-url'] === undefined ? tail : await logTail(log, following.signal);
  nearby = near({
    images: imageQueries(queries),
    shown,
    tail: ownTail,
    pool: leases,
    postgresUrl,
    owner,
    logger,
    heard: switches.heard,
    cacheMib: config['answer-cache-mib'],
  });

  const { identity, close: closeIdentity } = identityOf(config);
  const { regions, close: closeRegions } = regionsOf(config, postgresImportTokens(besideLog));
  const renewMs = config['personal-records-days'] > 0 ? renewRecordsMs : Number.POSITIVE_INFINITY;
  const personal = personalRecords(besideLog, { renewMs });
  const refusals = recordRefusals({
    writer: owner,
    log,
    personal,
    logger,
    now: () => new Date(),
    windowMs: 60_000,
    bounds: defaultBounds,
  });
  const downloads = recordDownloads({
    ...{ log, logger, personal, switches },
    writer: owner,
    now: () => new Date(),
  });

  const downloadRecords = downloadQueries(queries, { keepDays: config['download-history-days'] });
  const lost = settleLost({
    ...{ log, logger, records: downloadRecords },
    visible: downloadsShown,
    isDead: watch.isDead,
  });

  const { quota, close: closeQuota } = quotaOf(config, {
    log,
    logger,
    owner,
    queries,
    postgresUrl,
  });
  const holdLocks = openHoldLocks(postgresUrl, { log: logger, applicationName: 'gateway' });
  const { handle, uploads, streams } = app({
    quota,
    holdLocks,
    ...houseRules,
    log,
    images: nearby.images,
    metadefs: metadefQueries(queries),
    tasks: taskQueries(queries, { timeToLiveMs: config['task-time-to-live'] * hourMs }),
    metadefAccess: metadefAccess(policy),
    visible: nearby.visible,
    personal,
    identity,
    access: access(policy, protections),
    refusals,
    logger,
    metrics: processMetrics('gateway'),
    metricsOfOthers: () => metricsOfParts(leases, ['worker', 'projector', 'relay'], 10 * leaseMs),
    stores: storesOf(config),
    showing: {
      locations: config['show-multiple-locations'],
      directUrl: config['show-image-direct-url'],
    },
    uploads: {
      tail,
      staging: filesystemStaging(config['staging-dir']),
      owner,
      isDead: watch.isDead,
      sizeCap: config['image-size-cap'],
      patience: { unownedMs: 60_000, lookEveryMs: 1_000 },
      passStep,
    },
    events: {
      facts: eventQueries(queries),
      visible: toldOutside,
      region: config.region,
      pace: usualPace,
    },
    webhooks: {
      registered: webhookQueries(queries),
      visible: webhooksShown,
      access: webhookAccess(policy),
      vault: postgresVault(besideLog),
      poster,
      progress: postgresProgress(queries),
      quota: config['webhook-endpoint-quota'],
    },
    bulk: {
      imports: bulkQueries(queries),
      visible: bulkShown,
      access: bulkAccess(policy),
    },
    history: {
      changes,
      past,
      visible: historyShown,
      people: peopleIn(besideLog),
      access: historyAccess(policy),
    },
    downloads: {
      recorder: downloads,
      switches,
      records: downloadRecords,
      visible: downloadsShown,
      isDead: watch.isDead,
    },
    audit: audit.ports,
    dataDir: config['data-dir'],
    publicEndpoint: config['public-endpoint'],
    importMethods: offeredMethods(config),
    ...(regions === undefined ? {} : { regions }),
    urls: importGuard(config),
    progress: postgresProgressReader(queries),
  });
  const server = gatewayServer(handle, logger);
  const port = await server.listen(config.port, config.host);
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const url = `http://${host}:${port}`;
  logger.info({ url }, 'listening');
  part.ready({ port, url });

  const asked = new Promise((resolve) => {
    if (stopping.aborted) resolve(undefined);
    else stopping.addEventListener('abort', resolve, { once: true });
  });
  await Promise.race([asked, tail.ended]);
  streams.stop();
  await server.stop(graceMs, uploads.stop);
  await downloads.stop();
  await lost.stop();
  await refusals.stop();
  closeIdentity();
  closeRegions();
  following.abort();
  await tail.ended;
  await ownTail.ended;
  await nearby.stop();
  await bus.close();
  await watch.stop();
  await leaveByteDirs();
  await heartbeat.stop();
  await closeQuota();
  await shown.close();
  await toldOutside.close();
  await webhooksShown.close();
  await historyShown.close();
  await downloadsShown.close();
  await bulkShown.close();
  poster.close();
  await audit.close();
  await log.close();
  await holdLocks.close();
  await Promise.all([queries.end(), leases.end(), besideLog.end()]);
});
