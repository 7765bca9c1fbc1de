import type { Pool } from 'pg';
import type { BulkItem } from '../../domain/bulk/events.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { access } from '../../domain/image/access.ts';
import { imageDecider } from '../../domain/image/image.ts';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { Bus } from '../../infra/bus/bus.ts';
import type { Config } from '../../infra/config/config.ts';
import type { DeathWatch } from '../../infra/leases/death-watch.ts';
import { lease } from '../../infra/leases/lease.ts';
import { isLimited } from '../../infra/limits/settings.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { openHoldLocks } from '../../infra/retention/hold-locks.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { bulkQueries } from '../../projections/bulk/queries.ts';
import type { Images } from '../../projections/images/images.ts';
import type { Filter } from '../../projections/images/list-query.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { imageCommands } from '../gateway/commands.ts';
import { houseRulesFrom } from '../gateway/house-rules.ts';
import { imports } from '../gateway/imports.ts';
import { type LogTail, logTail } from '../gateway/log-tail.ts';
import { quotaOf } from '../gateway/quota-of.ts';
import { imageWork } from './image-work.ts';
import { runBulkImports } from './runner.ts';

export interface BulkPart {
  readonly config: Config;
  readonly postgresUrl: string;
  readonly owner: string;
  readonly log: EventLog;
  readonly bus: Pick<Bus, 'head' | 'follow'>;
  /** For leases. */
  readonly leases: Pool;
  readonly watch: DeathWatch;
  readonly logger: Logger;
  readonly passStep: PassStep;
  readonly onTakeOver: () => void;
  readonly stopping: AbortSignal;
}

const lookEveryMs = 500;
const listingPatienceMs = 120_000;
const uploadsAtOnce = 4;
const queryTimeoutMs = 15_000;
const connections = 4;

/** Runs bulk imports, as one of the things that a worker does, until it is asked to stop. */
export async function runBulk(part: BulkPart): Promise<void> {
  const { config, postgresUrl, owner, log, logger, stopping, passStep } = part;
  const { policy, protections } = operatorsRules(config);
  const { limits, keepDeletedMs } = houseRulesFrom(config);
  const applicationName = 'bulk-import';
  const options = { log: logger, max: connections, applicationName, queryTimeoutMs };
  const pool = postgresPool(postgresUrl, options);
  const images = imageQueries(pool);
  const decider = imageDecider(limits, access(policy, protections));
  const shown = isLimited(config)
    ? visible(pool, postgresUrl, { log: logger, models: [imagesProjection.name] })
    : { waitFor: async () => {}, close: async () => {} };
  const { quota, close } = quotaOf(config, { log, logger, owner, queries: pool, postgresUrl });
  /** Every call says whose record it is. */
  const personal = { remember: async () => '' };
  const holdLocks = openHoldLocks(postgresUrl, { log: logger, applicationName, max: 1 });
  const commands = imageCommands({
    ...{ log, images, visible: shown, personal, decider, quota, holdLocks, passStep },
  });
  const following = new AbortController();
  let tail: Promise<LogTail> | undefined;
  try {
    await runBulkImports(
      {
        log,
        tail() {
          tail ??= logTail(part.bus, following.signal).then((one) => {
            one.listenToAll(quota.heard);
            return one;
          });
          return tail;
        },
        imports: bulkQueries(pool),
        lease: lease(part.leases, {
          name: 'bulk-imports',
          owner,
          watch: part.watch,
          onTakeOver(from) {
            part.onTakeOver();
            logger.warn({ from }, 'took bulk imports over from a dead worker');
          },
        }),
        limits: {
          total: config['bulk-concurrency'],
          project: config['bulk-project-concurrency'],
          host: config['bulk-host-concurrency'],
        },
        uploadsAtOnce,
        lookEveryMs,
        listingPatienceMs,
        uploadPatienceMs: config['staging-timeout'] * 1_000,
        wallClock: Date.now,
        logger,
        work: imageWork({
          ...{ log, decider, personal, commands, keepDeletedMs },
          imports: imports({ commands, quota }),
          isLimited: isLimited(config),
        }),
        equalTo: (item) => equalImage(item, images),
        inWork: async () => new Set((await images.openWork()).map(({ imageId }) => imageId)),
      },
      stopping,
    );
  } finally {
    following.abort();
    await (await tail)?.ended;
    await close();
    await shown.close();
    await holdLocks.close();
    await pool.end();
  }
}

/** By digests that every image has: md5, and that shown as `os_hash_value`. */
export async function equalImage(
  { isIdGiven, attributes: { name, owner }, expected }: BulkItem,
  images: Pick<Images, 'list'>,
): Promise<string | undefined> {
  const { md5, [hashAlgorithm]: hash } = expected?.digests ?? {};
  if (isIdGiven || name === null || owner === null) return undefined;
  if (md5 === undefined && hash === undefined) return undefined;
  const digests: readonly Filter[] = [
    ...(md5 === undefined ? [] : [{ kind: 'text', field: 'checksum', value: md5 } as const]),
    ...(hash === undefined ? [] : [{ kind: 'text', field: 'os_hash_value', value: hash } as const]),
  ];
  const [found] = await images.list({
    viewer: { projectId: owner, isAdmin: false },
    filters: [
      { kind: 'one-of', field: 'name', values: [name] },
      { kind: 'one-of', field: 'status', values: ['active', 'deactivated'] },
      { kind: 'text', field: 'owner', value: owner },
      ...digests,
    ],
    visibility: 'all',
    memberStatus: 'all',
    hidden: false,
    sort: [
      { key: 'created_at', direction: 'asc' },
      { key: 'id', direction: 'asc' },
    ],
    marker: undefined,
    limit: 1,
  });
  return found?.id;
}
