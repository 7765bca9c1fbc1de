import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { access } from '../../domain/image/access.ts';
import type { Config } from '../../infra/config/config.ts';
import { besideLogUrl } from '../../infra/event-log/open.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { lease } from '../../infra/leases/lease.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';
import { posterOf } from '../../infra/webhooks/poster-of.ts';
import { isDelivered, postgresProgress } from '../../infra/webhooks/progress-store.ts';
import { postgresVault } from '../../infra/webhooks/vault.ts';
import { eventsProjection } from '../../projections/events/projection.ts';
import { eventQueries } from '../../projections/events/queries.ts';
import { webhookQueries } from '../../projections/webhooks/queries.ts';
import { recentFacts } from '../gateway/events/recent.ts';
import { usualPace } from './deliver-to.ts';
import { runDeliverer } from './deliverer.ts';
import { ourWebhooks } from './handle.ts';
import { slots } from './slots.ts';

/** Another takes over within 5 s of a death: it is seen after this, and looked for twice a second. */
const longestLeaseMs = 3_000;
const lookEveryMs = 500;
const pruneEveryMs = 600_000;
const requestsAtOnce = 64;
const queryTimeoutMs = 15_000;
const hourMs = 3_600_000;

export interface WebhooksPart {
  readonly config: Config;
  readonly postgresUrl: string;
  readonly owner: string;
  readonly log: Pick<EventLog, 'readStream' | 'append' | 'head'>;
  /** For leases. */
  readonly leases: Pool;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly onTakeOver: () => void;
  readonly stopping: AbortSignal;
}

/** Tells webhooks, as one of the things that a worker does, until it is asked to stop. */
export async function runWebhooks(part: WebhooksPart): Promise<void> {
  const { config, postgresUrl, owner, log, leases, logger, metrics, stopping } = part;
  const { policy, protections } = operatorsRules(config);
  const applicationName = 'webhooks';
  const options = { log: logger, max: 4, applicationName, queryTimeoutMs };
  const pool = postgresPool(postgresUrl, options);
  const besideLog = postgresPool(
    besideLogUrl(config['event-log-url'] ?? postgresUrl, postgresUrl),
    {
      ...options,
      max: 1,
    },
  );
  const leaseMs = Math.min(config['lease-ms'], longestLeaseMs);
  const watch = deathWatch(leases, { leaseMs, log: logger });
  const models = [eventsProjection.name];
  const told = visible(pool, postgresUrl, { log: logger, models });
  const poster = posterOf(config);
  const events = eventQueries(pool);
  const progress = postgresProgress(pool);
  const registered = webhookQueries(pool);
  const attempts = metrics.counter('webhook_attempts_total', 'Attempts to tell webhooks', [
    'outcome',
  ] as const);
  const ages = metrics.seconds(
    'webhook_age_seconds',
    'From when the log took a fact until a webhook was told',
    [] as const,
  );
  metrics.gauge('webhook_lag', 'Events that the webhook furthest behind is behind', async () => {
    const enabled = new Set((await registered.enabled()).map(({ id }) => id));
    const head = await events.checkpoint();
    const lags = (await progress.standings())
      .filter(({ webhookId }) => enabled.has(webhookId))
      .map(({ cursor }) => Number(head - cursor));
    return Math.max(0, ...lags);
  });
  try {
    await runDeliverer(
      {
        log,
        webhooks: ourWebhooks(log),
        registered,
        events,
        recent: recentFacts({ events, visible: told, region: config.region, logger }),
        region: config.region,
        imageAccess: access(policy, protections),
        vault: postgresVault(besideLog),
        poster,
        progress,
        slots: slots(requestsAtOnce),
        logger,
        pace: {
          ...usualPace,
          retrySeconds: config['webhook-retry-seconds'],
          disableAfterMs: config['webhook-disable-after-hours'] * hourMs,
        },
        onAttempt(attempt, ageSeconds) {
          const outcome = isDelivered(attempt) ? 'delivered' : 'failed';
          attempts({ outcome });
          if (outcome === 'delivered') ages({}, ageSeconds);
        },
        leaseOf: (webhookId) =>
          lease(leases, {
            name: `webhook-${webhookId}`,
            owner,
            watch,
            onTakeOver(from) {
              part.onTakeOver();
              logger.warn({ from, webhookId }, 'took a webhook over from a dead worker');
            },
          }),
        lookEveryMs,
        pruneEveryMs,
      },
      stopping,
    );
  } finally {
    poster.close();
    await watch.stop();
    await told.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}
