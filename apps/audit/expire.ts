import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { type ErasureEvent, erasureStream } from '../../domain/audit/erasure.ts';
import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import { eventId } from '../../infra/event-id.ts';
import type { Log } from '../../infra/postgres/log.ts';
import { countExpired, expireRecords } from '../../infra/retention/expire.ts';
import type { History } from '../../projections/history/history.ts';
import { standingHolds } from '../legal-holds.ts';

/** A record is used for this long after it was written; see `personalRecords`. */
export const renewRecordsMs = 86_400_000;

export interface ExpiryPorts {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'head'>;
  readonly changes: History;
  /** The database beside the log. */
  readonly besideLog: Pool;
}

const dayMs = 86_400_000;
const pageSize = 1_000;

/**
 * Takes away the personal records of which the last event is older than so many days. Those of persons behind changes of what
 * is under a legal hold, and behind refused attempts on it, stay as long as the hold does. The log says that it was ordered
 * and what came of it, as with an erasure. Gives how many there were; undefined where history is behind the log, so that
 * nobody knows what is under hold.
 */
export async function expirePersonal(
  { log, changes, besideLog }: ExpiryPorts,
  days: number,
  now: Date,
): Promise<number | undefined> {
  const before = new Date(now.getTime() - days * dayMs - renewRecordsMs);
  if ((await countExpired(besideLog, { before, except: new Set() })) === 0) return 0;
  const upTo = await log.head();
  if (!(await reaches(changes, upTo))) return undefined;
  const which = { before, except: await personsUnderHold({ log, changes }, upTo) };
  if ((await countExpired(besideLog, which)) === 0) return 0;
  const id = randomUUID();
  const stream = erasureStream(id);
  const fact = ({ type, data }: ErasureEvent): NewEvent => ({
    id: eventId(id, type, 0),
    type,
    schemaVersion: 1,
    data,
    metadata: {
      actor: { kind: 'system', part: 'audit' },
      ...{ requestId: `req-${id}`, causationId: id, correlationId: id },
    },
  });
  const told = { before: before.toISOString() };
  await log.append(stream, [fact({ type: 'PersonalExpiryOrdered', data: told })], -1);
  const records = await expireRecords(besideLog, which);
  const expired = { type: 'PersonalRecordsExpired', data: { ...told, records } } as const;
  await log.append(stream, [fact(expired)], 0);
  return records;
}

const patienceMs = 5_000;
const lookAgainMs = 50;

/** Whether history comes to have everything up to a position soon. */
async function reaches(changes: Pick<History, 'checkpoint'>, upTo: bigint): Promise<boolean> {
  for (let left = patienceMs; left > 0; left -= lookAgainMs) {
    if ((await changes.checkpoint()) >= upTo) return true;
    await delay(lookAgainMs, undefined, { ref: false });
  }
  return false;
}

/** The hashes that their events carry. */
async function personsUnderHold(
  { log, changes }: Pick<ExpiryPorts, 'log' | 'changes'>,
  upTo: bigint,
): Promise<ReadonlySet<string>> {
  const persons = new Set<string>();
  for (const { kind, id } of await standingHolds({ log, changes }, upTo))
    for (let after = 0n; after < upTo; ) {
      const page = await changes.page({
        viewer: { projectId: null, seesAll: true },
        filter: kind === 'image' ? { object: id } : { project: id },
        ...{ after, upTo, limit: pageSize },
      });
      for (const { metadata } of page.changes)
        if (metadata.personal !== undefined) persons.add(metadata.personal);
      after = page.next;
    }
  return persons;
}

export interface ExpirerOptions {
  readonly ports: ExpiryPorts;
  /** 0 is for ever. */
  readonly days: number;
  readonly isActive: () => Promise<boolean>;
  readonly logger: Log;
  readonly stopping: AbortSignal;
}

const lookEveryMs = 30_000;
const behindMs = 5_000;

/** Does so again and again, by whoever keeps the audit tree. */
export async function expireRegularly(options: ExpirerOptions): Promise<void> {
  const { ports, days, isActive, logger, stopping } = options;
  let pauseMs = behindMs;
  while (days > 0 && !stopping.aborted) {
    await delay(pauseMs, undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    try {
      if (!(await isActive())) continue;
      const records = await expirePersonal(ports, days, new Date());
      pauseMs = records === undefined ? behindMs : lookEveryMs;
      if (records !== undefined && records > 0)
        logger.info({ records, days }, 'personal records were as old as they may be');
    } catch (error) {
      if (!stopping.aborted) logger.warn({ err: error }, 'old personal records cannot be removed');
      pauseMs = lookEveryMs;
    }
  }
}
