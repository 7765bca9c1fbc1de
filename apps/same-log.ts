import type { Pool } from 'pg';
import type { EventLog } from '../domain/event-log.ts';
import { ConfigError } from '../infra/config/config.ts';
import { ensureGenerations } from '../infra/read-model/migrations.ts';
import { madeFromOther } from '../infra/read-model/origin.ts';
import { projections } from './projector/projections.ts';

/**
 * Refuses a log that the read models were not made from: they would go on at a position of the other one, and answer
 * with what it said. Only the operator knows which of the two is meant.
 */
export async function requireSameLog(pool: Pool, log: Pick<EventLog, 'readAll'>): Promise<void> {
  await ensureGenerations(pool);
  const names = projections.map(({ name }) => name);
  const others = await madeFromOther(pool, log, names);
  if (others.length > 0)
    throw new ConfigError([
      `the read models (${others.join(', ')}) were made from another event log: name that one with --event-log-url ` +
        'or --postgres-url or, if this is the right one, make them again with `daguerre rebuild`',
    ]);
}
