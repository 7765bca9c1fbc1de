import { type GatewayQuota, gatewayQuota } from '../../apps/gateway/quota.ts';
import { quotaHolds } from '../../apps/quota-holds.ts';
import { type QuotaLedger, quotaLedger } from '../../apps/quota-ledger.ts';
import type { EventLog } from '../../domain/event-log.ts';
import type { Limits } from '../../domain/quota/limits.ts';
import { type Amounts, nothing, resources, type Usage } from '../../domain/quota/resources.ts';
import { configuredLimits } from '../../infra/limits/configured.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Entry } from '../../projections/projection.ts';
import { fold, keyOf, projectStream, type QuotaParts } from '../../projections/quota/fold.ts';
import type { Quotas } from '../../projections/quota/quotas.ts';

const quiet = logger('quota', 'silent');

/** The quota read model in memory: folded anew from the log at each question. */
export function memoryQuotas(log: EventLog): Quotas {
  const entries = async (): Promise<ReadonlyMap<string, Entry<QuotaParts>>> => {
    const found = new Map<string, Entry<QuotaParts>>();
    for (const event of await log.readAll(0n, 1_000_000)) {
      const key = keyOf(event);
      if (key !== undefined) found.set(key, fold(found.get(key) ?? {}, event));
    }
    return found;
  };
  return {
    async usageOf(projectId) {
      const position = await log.head();
      const charges = [...(await entries()).values()].flatMap(({ charge }) =>
        charge?.owner === projectId ? [charge.usage] : [],
      );
      return { usage: charges.reduce(added, nothing), position };
    },
    ledgerOf: async (projectId) => (await entries()).get(projectStream(projectId))?.ledger,
    openReservations: async () =>
      [...(await entries())].flatMap(([key, { ledger }]) =>
        [...(ledger?.ledger.open.values() ?? [])].map((reservation) => ({
          ...reservation,
          projectId: key.slice(projectStream('').length),
        })),
      ),
  };
}

const added = (one: Usage, other: Usage): Usage =>
  Object.fromEntries(
    resources.map((resource) => [resource, one[resource] + other[resource]]),
  ) as unknown as Usage;

export const memoryLedger = (log: EventLog): QuotaLedger =>
  quotaLedger({ log, quotas: memoryQuotas(log), visible: { waitFor: async () => {} } });

/** Quotas over a log in memory. */
export function memoryQuota(
  log: EventLog,
  limits: Limits | Amounts,
  { owner = 'gateway-test', slice = 64 * 1024 ** 2 } = {},
): GatewayQuota {
  const ledger = memoryLedger(log);
  const set = 'limitsOf' in limits ? limits : configuredLimits(limits);
  const holds = quotaHolds({ log, ledger, limits: set, owner, logger: quiet, slice });
  return gatewayQuota({ holds, ledger, limits: set });
}
