import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { type ErasureEvent, erasureStream } from '../../domain/audit/erasure.ts';
import type { EventLog, Metadata, NewEvent } from '../../domain/event-log.ts';
import { eventId } from '../../infra/event-id.ts';
import { erasePersonalRecords } from '../../infra/personal/erase.ts';

/** Erases what is personal of a user, and has the log say so. Gives how many records there were. */
export async function eraseUser(
  { log, besideLog }: { readonly log: Pick<EventLog, 'append'>; readonly besideLog: Pool },
  userId: string,
  metadata: Omit<Metadata, 'causationId'>,
): Promise<number> {
  const id = randomUUID();
  const stream = erasureStream(id);
  const fact = ({ type, data }: ErasureEvent): NewEvent => ({
    id: eventId(id, type, 0),
    type,
    schemaVersion: 1,
    data,
    metadata: { ...metadata, causationId: id },
  });
  await log.append(stream, [fact({ type: 'PersonalErasureOrdered', data: { userId } })], -1);
  const records = await erasePersonalRecords(besideLog, userId);
  const erased = { type: 'PersonalRecordsErased', data: { userId, records } } as const;
  await log.append(stream, [fact(erased)], 0);
  return records;
}
