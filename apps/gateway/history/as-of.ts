import { HttpError } from '../http-error.ts';
import type { Parameters } from '../wire/query-string.ts';
import { caughtUp, type HistoryPorts } from './ports.ts';
import { positionFrom, timeFrom } from './query.ts';

export const asOfNames = ['as_of', 'as_of_position'];

export const isAskedOfThen = (parameters: Parameters): boolean =>
  parameters.some(([name]) => asOfNames.includes(name));

/** Clocks of several hosts differ: what is no further ahead is now. */
const clocksDifferMs = 60_000;

/**
 * The position that is asked about, once everything up to it can be had. A time means the last change that was recorded
 * then or earlier; what has not happened yet is 400.
 */
export async function positionAsked(ports: HistoryPorts, parameters: Parameters): Promise<bigint> {
  const position = positionFrom(parameters, 'as_of_position');
  const time = timeFrom(parameters, 'as_of');
  if (position !== undefined && time !== undefined)
    throw new HttpError(400, 'as_of and as_of_position cannot be combined.');
  if (position !== undefined) return reached(ports, position);
  if (time === undefined)
    throw new HttpError(400, 'As of when? as_of is a time, as_of_position a position.');
  if (time.getTime() > Date.now() + clocksDifferMs)
    throw new HttpError(400, 'as_of lies in the future.');
  const found = await ports.past.positionAt(time);
  if (found.isPast) return found.position;
  await caughtUp(ports, await ports.log.head());
  return (await ports.past.positionAt(time)).position;
}

/** How far history was when it was last looked: it has no less until the log itself goes back. */
const seen = new WeakMap<HistoryPorts['changes'], bigint>();

/** To be called when the log may have gone back. */
export const forgetHowFar = (changes: HistoryPorts['changes']): void => {
  seen.delete(changes);
};

async function reached(ports: HistoryPorts, position: bigint): Promise<bigint> {
  const { changes } = ports;
  if (position <= (seen.get(changes) ?? -1n)) return position;
  const known = await changes.checkpoint();
  seen.set(changes, known);
  if (position <= known) return position;
  const head = await ports.log.head();
  if (position > head)
    throw new HttpError(400, `as_of_position lies beyond the last position, ${head}.`);
  await caughtUp(ports, position);
  return position;
}
