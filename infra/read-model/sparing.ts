import type { RecordedEvent } from '../../domain/event-log.ts';
import { isDataFault } from '../postgres/data-fault.ts';
import type { Queryable } from './generation.ts';
import type { Writer } from './writer.ts';

/** Told of each event that was passed over: its effect is not to be seen, and somebody must find out why. */
export type OnUnprojectable = (event: RecordedEvent, error: unknown) => void;

/**
 * Takes events in as `writer.apply` does, but stops at none of them. Of events whose rows cannot be stored, halves are
 * tried until the one at fault is alone: the checkpoint moves past it and its entry stays as it was, so that later
 * events go on from there. Not inside a transaction, which a fault would end.
 */
export async function applySparing(
  writer: Writer,
  db: Queryable,
  events: readonly RecordedEvent[],
  onUnprojectable: OnUnprojectable,
): Promise<void> {
  try {
    await writer.apply(db, events);
  } catch (error) {
    const [first, second] = events;
    if (first === undefined || !isUnstorable(error)) throw error;
    if (second === undefined) {
      await writer.passOver(db, first);
      onUnprojectable(first, error);
      return;
    }
    const half = Math.ceil(events.length / 2);
    await applySparing(writer, db, events.slice(0, half), onUnprojectable);
    await applySparing(writer, db, events.slice(half), onUnprojectable);
  }
}

/** Postgres refused the values, or there is no text of them: too long, or a time that is none. */
export const isUnstorable = (error: unknown): boolean =>
  isDataFault(error) ||
  (error instanceof RangeError && /^Invalid (string length|time value)/.test(error.message));
