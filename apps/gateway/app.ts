import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import Koa from 'koa';
import type { EventLog } from '../../domain/event-log.ts';
import type { Access } from '../../domain/image/access.ts';
import { imageDecider } from '../../domain/image/image.ts';
import type { MetadefAccess } from '../../domain/metadef/access.ts';
import { namespaceDecider } from '../../domain/metadef/namespace.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { ProgressReader } from '../../infra/progress/progress.ts';
import { type HoldLocks, memoryHoldLocks } from '../../infra/retention/hold-locks.ts';
import { areSeveral, type Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics, Snapshot } from '../../infra/telemetry/metrics.ts';
import type { Events } from '../../projections/events/events.ts';
import type { Images, Visible } from '../../projections/images/images.ts';
import type { Metadefs } from '../../projections/metadefs/metadefs.ts';
import type { Tasks } from '../../projections/tasks/tasks.ts';
import { holdRoutes } from './audit/hold-routes.ts';
import { type AuditPorts, auditRoutes } from './audit/routes.ts';
import { baseUrlFrom } from './base-url.ts';
import { type BulkPorts, bulkRoutes } from './bulk/routes.ts';
import { bulkSurroundings } from './bulk/surroundings.ts';
import { authentication, type CallContext } from './call.ts';
import { imageCommands } from './commands.ts';
import { cors } from './cors.ts';
import type { DownloadRecorder } from './downloads/record.ts';
import { type DownloadRecordPorts, downloadRoutes } from './downloads/routes.ts';
import { recordingRoutes } from './downloads/switch-routes.ts';
import type { RecordingSwitches } from './downloads/switches.ts';
import { errors } from './errors.ts';
import { type RecentOptions, recentFacts } from './events/recent.ts';
import { eventRoutes } from './events/routes.ts';
import type { StreamPace } from './events/stream.ts';
import { type Streams, streams } from './events/streams.ts';
import type { HistoryPorts } from './history/ports.ts';
import { historyRoutes } from './history/routes.ts';
import type { HouseRules } from './house-rules.ts';
import type { Identity } from './identity.ts';
import { imageReads } from './image-reads.ts';
import { importProgresses } from './import-progress.ts';
import { imports, type Regions } from './imports.ts';
import { locator } from './locator.ts';
import { metadefCommands } from './metadef-commands.ts';
import { quickReads } from './quick-reads.ts';
import { type GatewayQuota, noQuota } from './quota.ts';
import { readings } from './reading.ts';
import { recordingRefusals } from './recording-refusals.ts';
import type { Refusals } from './refusals.ts';
import { requestLog, requestObserver } from './request-log.ts';
import { actionRoutes } from './routes/actions.ts';
import { cacheRoutes } from './routes/cache.ts';
import { health } from './routes/health.ts';
import { imageDataRoutes } from './routes/image-data.ts';
import { imageRoutes } from './routes/images.ts';
import { importRoutes } from './routes/imports.ts';
import { infoRoutes } from './routes/info.ts';
import { locationRoutes } from './routes/locations.ts';
import { memberRoutes } from './routes/members.ts';
import { metadefRoutes } from './routes/metadefs/metadefs.ts';
import { methods } from './routes/methods.ts';
import { newRouter } from './routes/routes.ts';
import { schemaRoutes } from './routes/schemas.ts';
import { storeRoutes } from './routes/stores.ts';
import { tagRoutes } from './routes/tags.ts';
import { taskRoutes } from './routes/tasks.ts';
import { versions } from './routes/versions.ts';
import { taskCommands } from './task-commands.ts';
import { taskImporter } from './task-import.ts';
import { unreadBody } from './unread-body.ts';
import { type UploadPorts, type Uploads, uploads } from './upload.ts';
import { decodableUrl } from './url.ts';
import { type WebhookPorts, webhookRoutes } from './webhooks/routes.ts';
import type { UrlRules } from './wire/import-method.ts';
import type { Showing } from './wire/places.ts';

/** Everything that the API is made of. */
export interface AppPorts extends HouseRules {
  readonly log: EventLog;
  readonly images: Images;
  readonly metadefs: Metadefs;
  readonly tasks: Tasks;
  readonly visible: Visible;
  readonly personal: PersonalRecords;
  readonly identity: Identity;
  readonly access: Access;
  readonly metadefAccess: MetadefAccess;
  readonly refusals: Pick<Refusals, 'record'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of the processes that have no page of their own: workers and projectors. */
  readonly metricsOfOthers: () => Promise<readonly Snapshot[]>;
  readonly stores: Stores;
  readonly showing: Showing;
  readonly uploads: UploadSettings;
  /** Absent where no limit is set. */
  readonly quota?: GatewayQuota;
  /** Absent where there is one gateway and nobody else. */
  readonly holdLocks?: HoldLocks;
  readonly events: EventSettings;
  readonly webhooks: WebhookSettings;
  readonly history: Omit<HistoryPorts, 'log'>;
  readonly downloads: DownloadSettings;
  readonly audit: AuditPorts;
  readonly bulk: Pick<BulkPorts, 'imports' | 'visible' | 'access'>;
  readonly dataDir: string;
  readonly publicEndpoint: string | undefined;
  /** Where imports may fetch from. */
  readonly urls: UrlRules;
  /** Where glance-download finds other image services. */
  readonly regions?: Regions;
  readonly progress: ProgressReader;
  /** What `OpenStack-image-import-methods` announces. */
  readonly importMethods: readonly string[];
}

type UploadSettings = Pick<
  UploadPorts,
  'tail' | 'staging' | 'owner' | 'isDead' | 'sizeCap' | 'patience' | 'passStep'
>;

interface DownloadSettings extends DownloadRecordPorts {
  readonly recorder: Pick<DownloadRecorder, 'begin'>;
  readonly switches: Pick<RecordingSwitches, 'isOnByDefault'>;
}

interface EventSettings extends Pick<RecentOptions, 'visible' | 'region' | 'keep'> {
  readonly facts: Events;
  readonly pace: StreamPace;
}

type WebhookSettings = Pick<
  WebhookPorts,
  'registered' | 'visible' | 'access' | 'vault' | 'poster' | 'progress' | 'quota'
>;

export interface App {
  readonly handle: RequestListener;
  readonly uploads: Uploads;
  readonly streams: Streams;
}

/** The API as one Koa application, each of whose layers is a line here; plain reads are answered ahead of it. */
export function app(ports: AppPorts): App {
  const { access, images, importMethods, log, logger, metrics, pages, schema } = ports;
  const { quota = noQuota, holdLocks = memoryHoldLocks() } = ports;
  ports.uploads.tail.listenToAll(quota.heard);
  const decider = imageDecider(ports.limits, access);
  const commands = imageCommands({
    ...ports,
    decider,
    quota,
    holdLocks,
    passStep: ports.uploads.passStep,
  });
  const baseUrl = baseUrlFrom(ports.publicEndpoint);
  const countBytes = metrics.counter('image_bytes_total', 'Bytes of images by direction', [
    'direction',
  ] as const);
  const uploading = uploads({
    ...ports.uploads,
    commands,
    quota,
    logger,
    countBytes: (bytes) => countBytes({ direction: 'in' }, bytes),
  });
  metrics.gauge('uploads_in_flight', 'Uploads that wait for their answer', uploading.inFlight);
  const { facts, region, pace } = ports.events;
  const recent = recentFacts({ ...ports.events, events: facts, logger });
  const streaming = streams({ recent, events: facts, region, pace, logger });
  metrics.gauge('event_streams', 'Open streams of events', streaming.open);
  metrics.gauge('event_log_head', 'Position of the newest event', async () =>
    Number(await log.head()),
  );
  metrics.gauge('projection_lag', 'Events that the images read model is behind the log', async () =>
    Number((await log.head()) - (await images.checkpoint())),
  );
  const router = newRouter();
  const { keepDeletedMs, limits, showing, stores } = ports;
  const locating = locator(stores, ports.uploads.sizeCap);
  const progress = importProgresses(ports);
  const reads = imageReads({ images, access, schema, stores, showing, pages, progress });
  imageRoutes(router, {
    ...{ commands, images, access, importMethods, baseUrl, schema, reads },
    ...{ limits, stores, showing, locator: locating, keepDeletedMs },
  });
  locationRoutes(router, { access, commands, images, stores, locator: locating });
  storeRoutes(router, { access, commands, stores });
  imageDataRoutes(router, {
    uploads: uploading,
    images,
    access,
    stores,
    downloads: ports.downloads.recorder,
    logger,
    countBytes: (bytes) => countBytes({ direction: 'out' }, bytes),
  });
  const importing = imports({
    commands,
    quota,
    ...(ports.regions === undefined ? {} : { regions: ports.regions }),
  });
  importRoutes(router, {
    uploads: uploading,
    imports: importing,
    methods: importMethods,
    urls: ports.urls,
    stores: {
      several: areSeveral(stores),
      defaultId: stores.defaultId,
      writable: stores.all.flatMap(({ id, writer }) => (writer === null ? [] : [id])),
    },
  });
  memberRoutes(router, { commands, images, access });
  tagRoutes(router, { commands, schema });
  actionRoutes(router, { commands });
  schemaRoutes(router, { schema });
  infoRoutes(router, { importMethods, quota });
  cacheRoutes(router, { access });
  const { metadefs, metadefAccess } = ports;
  metadefRoutes(router, {
    metadefs,
    access: metadefAccess,
    baseUrl,
    commands: metadefCommands({ ...ports, decider: namespaceDecider(metadefAccess) }),
  });
  const { tasks } = ports;
  const { urls } = ports;
  taskRoutes(router, {
    ...{ images, tasks, access, pages, baseUrl, progress, urls },
    commands: taskCommands({
      ...ports,
      importer: taskImporter({ commands, imports: importing, schema, stores, importMethods }),
    }),
  });
  eventRoutes(router, {
    events: facts,
    streams: streaming,
    access,
    identity: ports.identity,
    region,
  });

  historyRoutes(router, {
    ...ports.history,
    ...{ log, images, metadefs, pages, imageAccess: access },
    readingOf: readings({ access, schema, stores, showing }),
  });

  const history = { ...ports.history, log };
  downloadRoutes(router, { ...ports.downloads, history, images, imageAccess: access });
  recordingRoutes(router, {
    ...{ log, personal: ports.personal, visible: ports.visible },
    ...{ access: ports.history.access, switches: ports.downloads.switches },
  });

  auditRoutes(router, { ...ports.audit, images, imageAccess: access });
  holdRoutes(router, {
    ...{ log, history, locks: holdLocks },
    ...{ personal: ports.personal, visible: ports.visible, access: ports.audit.access },
  });

  const { personal, webhooks } = ports;
  const told = { events: facts, region, imageAccess: access };
  webhookRoutes(router, { ...webhooks, ...told, log, personal, baseUrl });
  bulkRoutes(router, {
    ...ports.bulk,
    ...{ log, logger, images, personal, decider, baseUrl },
    ...{ identity: ports.identity, progress: ports.progress },
    surroundings: bulkSurroundings({ schema, stores, importMethods, urls }),
  });

  const koa = new Koa<object, CallContext>();
  const observe = requestObserver(logger, metrics);
  koa.use(requestLog(observe));
  koa.use(unreadBody);
  koa.use(errors(logger));
  koa.use(
    health({
      disableFile: join(ports.dataDir, 'healthcheck-disable'),
      log,
      images,
      metrics,
      metricsOfOthers: ports.metricsOfOthers,
    }),
  );
  koa.use(cors(ports.origins));
  koa.use(decodableUrl);
  koa.use(versions(baseUrl, areSeveral(stores)));
  koa.use(authentication(ports.identity));
  koa.use(methods(router));
  koa.use(recordingRefusals(router, ports.refusals));
  koa.use(router.routes());
  koa.on('error', (error) => logger.debug({ err: error }, 'a response could not be completed'));
  const handle = quickReads({ identity: ports.identity, reads, observe }, koa.callback());
  return { handle, uploads: uploading, streams: streaming };
}
