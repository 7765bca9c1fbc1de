import { access } from '../../domain/image/access.ts';
import { upcast } from '../../domain/image/upcast.ts';
import type { WebhookCommand } from '../../domain/webhook/commands.ts';
import { webhookStream } from '../../domain/webhook/events.ts';
import type { Config } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Poster } from '../../infra/webhooks/post.ts';
import { posterOf } from '../../infra/webhooks/poster-of.ts';
import { type ProgressStore, postgresProgress } from '../../infra/webhooks/progress-store.ts';
import { postgresVault, type Vault } from '../../infra/webhooks/vault.ts';
import { eventQueries } from '../../projections/events/queries.ts';
import type { Entry } from '../../projections/projection.ts';
import { foldWebhook, type WebhookParts } from '../../projections/webhooks/projection.ts';
import { webhookQueries } from '../../projections/webhooks/queries.ts';
import type { WebhookRecord, Webhooks } from '../../projections/webhooks/webhooks.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { type ByHand, byHand } from '../webhooks/by-hand.ts';
import { actingPart, ourWebhooks } from '../webhooks/handle.ts';

/** What `daguerre webhooks` works with. */
export interface Tools {
  readonly registered: Pick<Webhooks, 'all'>;
  /** As the log has it, so that it need not have been built into the read model. */
  shown(webhookId: string): Promise<WebhookRecord | undefined>;
  readonly progress: ProgressStore;
  readonly vault: Vault;
  readonly poster: Poster;
  readonly hand: ByHand;
  head(): Promise<bigint>;
  perform(webhookId: string, command: WebhookCommand): Promise<void>;
}

const deadlineMs = 15_000;

export async function withTools<Value>(
  config: Config,
  databases: Databases,
  use: (tools: Tools) => Promise<Value>,
): Promise<Value> {
  const { eventLogUrl, postgresUrl } = databases;
  const { policy, protections } = operatorsRules(config);
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(postgresUrl, { log, max: 2 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  const events = await openEventLog(eventLogUrl, { log, upcast });
  const poster = posterOf(config);
  const webhooks = ourWebhooks(events);
  const vault = postgresVault(besideLog);
  const progress = postgresProgress(pool);
  const ports = {
    poster,
    vault,
    progress,
    events: eventQueries(pool),
    region: config.region,
    imageAccess: access(policy, protections),
  };
  try {
    return await use({
      registered: webhookQueries(pool),
      async shown(webhookId) {
        const recorded = await events.readStream(webhookStream(webhookId));
        return recorded.events.reduce<Entry<WebhookParts>>(foldWebhook, {}).webhook;
      },
      progress,
      vault,
      poster,
      hand: byHand(ports),
      head: () => events.head(),
      async perform(webhookId, command) {
        const deadline = AbortSignal.timeout(deadlineMs);
        await webhooks.handle(webhookId, command, actingPart('cli'), deadline);
      },
    });
  } finally {
    poster.close();
    await events.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}
