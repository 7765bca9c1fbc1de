import type { Pool } from 'pg';
import { postgresProgress } from '../../infra/webhooks/progress-store.ts';
import { webhookQueries } from '../../projections/webhooks/queries.ts';

/** How far each webhook was told, for `daguerre status`. */
export interface WebhookStanding {
  readonly id: string;
  readonly url: string;
  readonly status: string;
  /** Everything up to here has been delivered; `lag` in positions. */
  readonly position: string;
  readonly lag: string;
  /** Events that were refused, or did not get through, and are tried again. */
  readonly failing: number;
  readonly deliveredAt: Date | null;
}

/** Of those that the read model has. What is kept nowhere else is as the log has it. */
export async function webhookStandings(
  pool: Pool,
  head: bigint,
): Promise<readonly WebhookStanding[]> {
  const standings = await postgresProgress(pool).standings();
  const byId = new Map(standings.map((one) => [one.webhookId, one]));
  return (await webhookQueries(pool).all()).map(({ id, url, status, delivered }) => {
    const found = byId.get(id);
    const position = found?.cursor ?? BigInt(delivered);
    return {
      id,
      url,
      status,
      position: String(position),
      lag: String(position < head ? head - position : 0n),
      failing: found?.failing ?? 0,
      deliveredAt: found?.deliveredAt ?? null,
    };
  });
}

export const webhookLines = (standings: readonly WebhookStanding[]): readonly string[] =>
  standings.map(
    ({ url, status, position, lag, failing }) =>
      `webhook     ${url} at position ${position}, ${lag} behind, ${status}` +
      (failing === 0 ? '' : `, ${failing} to be tried again`),
  );
