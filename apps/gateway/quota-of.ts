import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { Limits } from '../../domain/quota/limits.ts';
import type { Config } from '../../infra/config/config.ts';
import { keystoneSession } from '../../infra/identity/keystone/session.ts';
import { configuredLimits } from '../../infra/limits/configured.ts';
import { keystoneLimits } from '../../infra/limits/keystone.ts';
import { isLimited, limitsIn } from '../../infra/limits/settings.ts';
import { visible } from '../../infra/read-model/visible.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { quotaProjection } from '../../projections/quota/projection.ts';
import { quotaQueries } from '../../projections/quota/queries.ts';
import { quotaHolds } from '../quota-holds.ts';
import { quotaLedger } from '../quota-ledger.ts';
import { keystoneAccountOf } from './identity-of.ts';
import { type GatewayQuota, gatewayQuota, noQuota } from './quota.ts';

const keystoneConnections = 8;
const keystoneStaleMs = 60_000;

interface QuotaSurroundings {
  readonly log: EventLog;
  readonly logger: Logger;
  readonly owner: string;
  readonly queries: Pool;
  readonly postgresUrl: string;
}

/** The quotas that the operator set, as gateways ask them, and what ends them. */
export function quotaOf(
  config: Config,
  surroundings: QuotaSurroundings,
): { readonly quota: GatewayQuota; close(): Promise<void> } {
  const parts = quotaPartsOf(config, surroundings);
  return parts === null
    ? { quota: noQuota, close: async () => {} }
    : { quota: gatewayQuota(parts), close: parts.close };
}

/** What quotas are made of; null where none is set. */
export function quotaPartsOf(
  config: Config,
  { log, logger, owner, queries, postgresUrl }: QuotaSurroundings,
) {
  if (!isLimited(config)) return null;
  const { limits, close } = limitsOf(config);
  const shown = visible(queries, postgresUrl, { log: logger, models: [quotaProjection.name] });
  const quotas = quotaQueries(queries);
  const ledger = quotaLedger({ log, quotas, visible: shown });
  const holds = quotaHolds({ log, ledger, limits, owner, logger });
  return {
    holds,
    ledger,
    limits,
    quotas,
    async close() {
      close();
      await shown.close();
    },
  };
}

function limitsOf(config: Config): { readonly limits: Limits; close(): void } {
  if (!config['use-keystone-limits'])
    return { limits: configuredLimits(limitsIn(config)), close: () => {} };
  const { account, http } = keystoneAccountOf(config);
  const session = keystoneSession(
    { ...account, wholeSystem: true },
    { ...http, maxConnections: keystoneConnections },
    Date.now,
  );
  const limits = keystoneLimits(session, {
    region: config.region,
    cacheMs: config['keystone-limit-cache-seconds'] * 1000,
    staleMs: keystoneStaleMs,
  });
  return { limits, close: session.close };
}
