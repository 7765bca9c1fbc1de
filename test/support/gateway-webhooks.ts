import type { EventLog } from '../../domain/event-log.ts';
import { foldWebhook, webhooksProjection } from '../../projections/webhooks/projection.ts';
import type { WebhookRecord, Webhooks } from '../../projections/webhooks/webhooks.ts';

/** The read model of webhooks in memory: folded anew from the log at each question. */
export function memoryWebhooks(log: Pick<EventLog, 'readAll'>): Webhooks {
  const all = async (): Promise<readonly WebhookRecord[]> => {
    const records = new Map<string, WebhookRecord>();
    for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
      const id = webhooksProjection.keyOf(event);
      if (id === undefined) continue;
      const { webhook } = foldWebhook({ webhook: records.get(id) }, event);
      if (webhook === undefined) records.delete(id);
      else records.set(id, webhook);
    }
    return [...records.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  };
  return {
    all,
    show: async (webhookId) => (await all()).find(({ id }) => id === webhookId),
    list: async ({ viewer, project, marker = '', limit }) =>
      (await all())
        .filter((one) => viewer.isAdmin || one.project === viewer.projectId)
        .filter((one) => project === undefined || one.project === project)
        .filter(({ id }) => id > marker)
        .slice(0, limit),
    count: async (project) => (await all()).filter((one) => one.project === project).length,
    enabled: async () => (await all()).filter(({ status }) => status === 'enabled'),
  };
}
