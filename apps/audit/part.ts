import { join } from 'node:path';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { postgresAuditMemory } from '../../infra/audit/memory.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';
import { checkpointTargets } from '../../infra/audit/targets/targets-of.ts';
import { postgresTreeStore } from '../../infra/audit/tree-store.ts';
import type { Config } from '../../infra/config/config.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { checkRegularly } from './check.ts';
import { expireRegularly } from './expire.ts';
import { keepTree } from './keep.ts';
import { ownCheckpoint } from './own-checkpoint.ts';
import { publishCheckpoints } from './publish.ts';

export interface AuditPart {
  readonly config: Config;
  /** As it is stored: no event may be lifted to a newer shape. */
  readonly log: EventLog;
  readonly pool: Pool;
  /** The database beside the log. */
  readonly besideLog: Pool;
  readonly lowest: bigint;
  readonly lease: Lease;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly stopping: AbortSignal;
}

const hourMs = 3_600_000;

/** Where the keys lie. */
export const keyFileOf = (config: Config): string =>
  config['audit-key-file'] ?? join(config['data-dir'], 'audit', 'key');

/** What the log is called: where it is served, as C2SP recommends, or by its region. */
export function originFrom(config: Config): string {
  const endpoint = config['public-endpoint'];
  const served =
    endpoint === undefined
      ? `daguerre/${config.region.replaceAll(/[\s+]/g, '-')}`
      : `${endpoint.replace(/^https?:\/\//, '').replace(/\/+$/, '')}/audit/v1`;
  return config['audit-origin'] ?? served;
}

/** Keeps the audit tree, checks the log against it, sends checkpoints out and lets personal records expire, until it is asked to stop. */
export async function runAudit(part: AuditPart): Promise<void> {
  const { config, log, pool, besideLog, lowest, lease, logger, metrics, stopping } = part;
  const targets = checkpointTargets(config);
  const store = postgresTreeStore(pool);
  const memory = postgresAuditMemory(besideLog);
  const isActive = () => lease.tryHold();
  metrics.gauge(
    'audit_tree_size',
    'Events in the audit tree',
    async () => (await store.reach()).size,
  );
  metrics.gauge('audit_signed_size', 'Events in the newest signed checkpoint', async () =>
    Number((await memory.newest())?.size ?? 0),
  );
  metrics.gauge('audit_alarm', '1 while the log is known not to be what was signed', async () =>
    (await memory.watch()).alarm === null ? 0 : 1,
  );
  await Promise.all([
    keepTree({
      log,
      store,
      memory,
      own: ownCheckpoint(join(config['data-dir'], 'audit', 'checkpoint'), logger),
      signing: { memory, keyFile: keyFileOf(config), origin: originFrom(config) },
      lease,
      logger,
      everyMs: config['audit-checkpoint-ms'],
      stopping,
    }),
    checkRegularly({
      ports: { log, store, proofs: proofsFrom(store), memory, lowest },
      memory,
      everyMs: config['audit-check-hours'] * hourMs,
      isActive,
      logger,
      stopping,
    }),
    expireRegularly({
      ports: { log, changes: historyQueries(pool), besideLog },
      days: config['personal-records-days'],
      isActive,
      logger,
      stopping,
    }),
    publishCheckpoints({
      memory,
      targets,
      everyMs: config['audit-publish-seconds'] * 1_000,
      isActive,
      logger,
      stopping,
    }),
  ]);
}
