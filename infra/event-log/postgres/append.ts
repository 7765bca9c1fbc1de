import pg from 'pg';
import {
  AppendUnknown,
  LogUnavailable,
  type NewEvent,
  RevisionConflict,
} from '../../../domain/event-log.ts';
import { isDataFault } from '../../postgres/data-fault.ts';

/** An append that waits for its batch. Events are written out already: later changes to them do not count. */
export interface Pending {
  readonly streamId: string;
  readonly expected: number;
  readonly events: readonly EncodedEvent[];
  readonly bytes: number;
  resolve(position: bigint): void;
  reject(error: Error): void;
}

export interface EncodedEvent {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly metadata: string;
}

export function encoded(event: NewEvent): EncodedEvent {
  const { id, type, schemaVersion, data, metadata } = event;
  return {
    id,
    type,
    schemaVersion,
    data: JSON.stringify(data),
    metadata: JSON.stringify(metadata),
  };
}

const call = `
  select won, base
  from append_events(
    $1::text[], $2::integer[], $3::integer[], $4::integer[], $5::integer[],
    $6::uuid[], $7::text[], $8::integer[], $9::text[], $10::text[])`;

/** Sends one batch, at most one append per stream, and answers each append of it. Never rejects. */
export async function sendBatch(pool: pg.Pool, batch: readonly Pending[]): Promise<void> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (cause) {
    for (const pending of batch) pending.reject(new LogUnavailable(cause));
    return;
  }
  try {
    const { rows } = await client.query<{ won: number[]; base: bigint | null }>({
      name: 'append-events',
      text: call,
      values: parameters(batch),
    });
    client.release();
    answer(batch, rows[0]?.won ?? [], rows[0]?.base ?? 0n);
  } catch (error) {
    if (!rolledBack(error)) {
      client.release(true);
      for (const pending of batch) pending.reject(new AppendUnknown(pending.streamId, error));
      return;
    }
    client.release();
    if (batch.length > 1) for (const pending of batch) await sendBatch(pool, [pending]);
    else for (const pending of batch) pending.reject(refusal(pending, error));
  }
}

function parameters(batch: readonly Pending[]): unknown[] {
  const events = batch.flatMap(({ expected, events }, index) =>
    events.map((event, place) => ({ ...event, owner: index + 1, revision: expected + 1 + place })),
  );
  return [
    batch.map(({ streamId }) => streamId),
    batch.map(({ expected }) => expected),
    batch.map(({ events: { length } }) => length),
    events.map(({ owner }) => owner),
    events.map(({ revision }) => revision),
    events.map(({ id }) => id),
    events.map(({ type }) => type),
    events.map(({ schemaVersion }) => schemaVersion),
    events.map(({ data }) => data),
    events.map(({ metadata }) => metadata),
  ];
}

function answer(batch: readonly Pending[], won: readonly number[], base: bigint): void {
  const winners = new Set(won);
  let position = base;
  for (const [index, pending] of batch.entries()) {
    if (!winners.has(index + 1)) {
      pending.reject(new RevisionConflict(pending.streamId, pending.expected));
      continue;
    }
    position += BigInt(pending.events.length);
    pending.resolve(position);
  }
}

/**
 * Whether the server said that the transaction failed. When it says that it is ending instead (FATAL, PANIC, and that
 * in its own language), the transaction may have been committed before.
 */
function rolledBack(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && (error.severity === 'ERROR' || isDataFault(error));
}

function refusal({ streamId }: Pending, cause: pg.DatabaseError): Error {
  if (!isDataFault(cause)) return new LogUnavailable(cause);
  return new Error(`the log cannot hold an event for ${streamId}: ${cause.message}`, { cause });
}
