import type { Pool } from 'pg';
import { type WebhookRow, webhookFrom } from './projection.ts';
import type { WebhookRecord, Webhooks } from './webhooks.ts';

const selected = 'select id, revision, created_at, updated_at, state from webhooks.webhook';

/** Queries over the view of the read model. */
export function webhookQueries(pool: Pool): Webhooks {
  const rows = async (
    name: string,
    rest: string,
    values: readonly unknown[] = [],
  ): Promise<readonly WebhookRecord[]> => {
    const query = { name: `webhooks-${name}`, text: `${selected} ${rest}`, values: [...values] };
    return (await pool.query<WebhookRow>(query)).rows.map(webhookFrom);
  };
  return {
    show: async (webhookId) => (await rows('show', 'where id = $1', [webhookId]))[0],
    list: ({ viewer, project, marker, limit }) =>
      rows(
        'list',
        `
        where ($1::boolean or project = $2::text)
          and ($3::text is null or project = $3::text)
          and id > $4::text
        order by id
        limit $5::integer`,
        [viewer.isAdmin, viewer.projectId, project ?? null, marker ?? '', limit],
      ),
    async count(project) {
      const { rows: counted } = await pool.query<{ count: number }>({
        name: 'webhooks-count',
        text: `
          select count(*)::integer as count
          from webhooks.webhook
          where project is not distinct from $1::text`,
        values: [project],
      });
      return counted[0]?.count ?? 0;
    },
    enabled: () => rows('enabled', `where status = 'enabled' order by id`),
    all: () => rows('all', 'order by id'),
  };
}
