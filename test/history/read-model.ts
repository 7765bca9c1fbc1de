import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { unexpected } from '../projections/read-model.ts';

/** Makes the read model of history from a log, and swaps it in. */
export const buildHistory = (pool: Pool, log: Pick<EventLog, 'readAll' | 'head'>) =>
  rebuild({
    projection: historyProjection,
    pool,
    log,
    signal: new AbortController().signal,
    onUnprojectable: unexpected,
  });

/** Every row of the live generation, as text that is the same for the same content. */
export async function historyRows(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ row: string }>(`
    select 'change ' || to_jsonb(change)::text as row from history.change
    union all
    select 'past ' || to_jsonb(past)::text from history.past
    union all
    select 'image ' || to_jsonb(image)::text from history.image
    union all
    select 'subject ' || to_jsonb(subject)::text from history.subject
    order by row`);
  return rows.map(({ row }) => row);
}
