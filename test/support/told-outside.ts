import { type EventLog, LogUnavailable, type NewEvent } from '../../domain/event-log.ts';
import {
  exposureOf,
  type OutsideType,
  outsideKindOf,
  outsideKinds,
  typesOf,
} from '../../domain/outside/exposure.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { outsideData, withheld } from '../../infra/outside/data.ts';
import { silent } from './silent-log.ts';

/**
 * Throws when nobody has decided what of this event is told outside: its type has neither a schema nor its place inside,
 * its data does not fit the schema, or a field is neither in the schema nor withheld by name.
 */
export function requireDecided(streamId: string, { type, data }: Pick<NewEvent, 'type' | 'data'>) {
  const kind = outsideKindOf(streamId);
  if (kind === undefined) return;
  if (!typesOf(kind).includes(type))
    throw new Error(`${type}: domain/outside/exposure.ts does not say who is told of it`);
  if (exposureOf({ streamId, type }) === 'inside') return;
  const { success, error, data: told } = outsideData[type as OutsideType].safeParse(data);
  if (!success)
    throw new Error(`${type} does not fit its schema in infra/outside/data.ts`, { cause: error });
  const kept = withheld[type] ?? [];
  const open = missing(data, told, '').filter((path) => !kept.includes(path));
  if (open.length > 0)
    throw new Error(
      `${type}: infra/outside/data.ts neither tells nor withholds ${open.join(', ')}`,
    );
}

/** The same of a fact as deciders have it; facts of which nobody outside is told pass. */
export function requireDecidedFact(fact: unknown): void {
  const { type, data } = fact as NewEvent;
  const kind = outsideKinds.find((one) => typesOf(one).includes(type));
  if (kind !== undefined) requireDecided(`${kind}-`, { type, data });
}

/** A log that takes no event of which it is undecided what is told outside. */
export const decidedLog = <Log extends Pick<EventLog, 'append'>>(log: Log): Log => ({
  ...log,
  append(streamId, events, expected) {
    for (const event of events) requireDecided(streamId, event);
    return log.append(streamId, events, expected);
  },
});

/** Looks through everything that a system has recorded; a log that is not there any more is somebody else's matter. */
export async function requireAllDecided(eventLogUrl: string): Promise<void> {
  const log = await openEventLog(eventLogUrl, { log: silent, upcast: (event) => event });
  try {
    for (let after = 0n; ; ) {
      const events = await log.readAll(after, 1_000);
      const last = events.at(-1);
      if (last === undefined) return;
      for (const event of events) requireDecided(event.streamId, event);
      after = last.position;
    }
  } catch (error) {
    if (!(error instanceof LogUnavailable)) throw error;
  } finally {
    await log.close();
  }
}

/** Paths of what is in `whole` and not in `part`. */
function missing(whole: unknown, part: unknown, path: string): string[] {
  if (typeof whole !== 'object' || whole === null) return [];
  return Object.entries(whole).flatMap(([key, value]) => {
    const at = Array.isArray(whole) ? path : [path, key].filter((step) => step !== '').join('.');
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key))
      return value === undefined ? [] : [at];
    return missing(value, (part as Record<string, unknown>)[key], at);
  });
}
