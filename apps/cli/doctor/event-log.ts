import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { type EventLog, LogUnavailable, RevisionConflict } from '../../../domain/event-log.ts';
import { isEventStoreDb, openEventLog } from '../../../infra/event-log/open.ts';
import { postgresPool } from '../../../infra/postgres/pool.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import { examine, type Finding, type Findings } from './finding.ts';

/** Whether events can be read and appended. Appends nothing. */
export function examineEventLog(url: string, log: Logger): Promise<readonly Finding[]> {
  const kind = isEventStoreDb(url) ? 'EventStoreDB' : 'Postgres';
  return examine(
    'event log',
    async (found) => {
      const events = await openEventLog(url, { log, upcast: (event) => event });
      try {
        const head = await events.head();
        await refusesForTheRevision(events);
        found.ok(`in ${kind}, its head at position ${head}, would take an append`);
      } finally {
        await events.close();
      }
      if (kind === 'Postgres') await mayInsert(url, log, found);
    },
    'look at --event-log-url, and what its user may do',
  );
}

/** Only the leader, asked by somebody who may write, gets as far as looking at the revision. */
async function refusesForTheRevision(events: EventLog): Promise<void> {
  const probe = {
    id: randomUUID(),
    type: 'NeverAppended',
    schemaVersion: 1,
    data: {},
    metadata: {
      actor: { kind: 'system', part: 'doctor' },
      requestId: `req-${randomUUID()}`,
      causationId: randomUUID(),
      correlationId: randomUUID(),
    },
  } as const;
  try {
    await events.append(`doctor-${randomUUID()}`, [probe], 1_000_000);
  } catch (error) {
    if (error instanceof RevisionConflict) return;
    throw error instanceof LogUnavailable ? error.cause : error;
  }
  throw new Error('took an append at a revision that its stream does not have: it is no event log');
}

async function mayInsert(url: string, log: Logger, found: Findings): Promise<void> {
  const pool = postgresPool(url, { log, max: 1, queryTimeoutMs: 10_000 });
  try {
    const lacking = await privilegesLacking(pool);
    if (lacking.length > 0) found.fail(`its user lacks ${lacking.join(', ')}: grant them`);
  } finally {
    await pool.end();
  }
}

async function privilegesLacking(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ lacking: string }>(`
    select privilege || ' on ' || name as lacking
    from (values ('events', 'insert'), ('events', 'select'), ('event_heads', 'insert'), ('event_heads', 'update'),
      ('event_counter', 'update')) as wanted (name, privilege)
    where not has_table_privilege(name, privilege)`);
  return rows.map(({ lacking }) => lacking);
}
