import type { HistoryFilter, HistoryQuery } from '../../../projections/history/history.ts';
import { HttpError } from '../http-error.ts';
import { isUuid } from '../wire/image-schema.ts';
import { allOf, lastOf, type Parameters } from '../wire/query-string.ts';
import { isoInstant } from './instant.ts';

const usualLimit = 100;
const mostLimit = 1_000;
/** The last position that there can be. */
const lastPosition = 2n ** 63n - 1n;

/** What pages of every history take. */
export const rangeNames = ['from', 'to', 'from_position', 'to_position', 'marker', 'limit'];
/** What the history of everything takes besides. */
export const filterNames = ['project', 'actor', 'type', 'object', 'outcome'];

type Range = Pick<HistoryQuery, 'after' | 'upTo' | 'limit'> & Pick<HistoryFilter, 'from' | 'to'>;

/** Which part of a history is asked for; 400 for what it cannot mean. */
export function rangeFrom(parameters: Parameters): Range {
  const first = positionFrom(parameters, 'from_position');
  const marker = positionFrom(parameters, 'marker') ?? 0n;
  const before = first === undefined || first === 0n ? 0n : first - 1n;
  return {
    after: marker > before ? marker : before,
    upTo: positionFrom(parameters, 'to_position') ?? lastPosition,
    limit: limitFrom(lastOf(parameters, 'limit')),
    from: timeFrom(parameters, 'from'),
    to: timeFrom(parameters, 'to'),
  };
}

export function filterFrom(parameters: Parameters): HistoryFilter {
  const types = allOf(parameters, 'type').flatMap((value) => value.split(','));
  const object = lastOf(parameters, 'object');
  const outcome = lastOf(parameters, 'outcome');
  if (outcome !== undefined && outcome !== 'success' && outcome !== 'refused')
    throw new HttpError(400, `outcome must be success or refused, not "${outcome}".`);
  return {
    project: lastOf(parameters, 'project'),
    actor: lastOf(parameters, 'actor'),
    types: types.length === 0 ? undefined : types,
    object: object !== undefined && isUuid(object) ? object.toLowerCase() : object,
    refused: outcome === undefined ? undefined : outcome === 'refused',
  };
}

export function knowing(parameters: Parameters, known: readonly string[]): void {
  const unknown = parameters.find(([name]) => !known.includes(name))?.[0];
  if (unknown !== undefined)
    throw new HttpError(
      400,
      `There is no parameter '${unknown}' here. There are: ${known.join(', ')}.`,
    );
}

export function timeFrom(parameters: Parameters, name: string): Date | undefined {
  const given = lastOf(parameters, name);
  if (given === undefined) return undefined;
  const time = isoInstant(given);
  if (time !== undefined) return time;
  throw new HttpError(400, `${name} must be a time as ISO 8601 has it, not "${given}".`);
}

export function positionFrom(parameters: Parameters, name: string): bigint | undefined {
  const given = lastOf(parameters, name);
  if (given === undefined) return undefined;
  const position = /^\d{1,19}$/.test(given) ? BigInt(given) : lastPosition + 1n;
  if (position <= lastPosition) return position;
  throw new HttpError(400, `${name} must be a position: the decimal number that a change carries.`);
}

function limitFrom(given: string | undefined): number {
  if (given === undefined) return usualLimit;
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new HttpError(400, 'The parameter limit must be a number above 0.');
  return Math.min(Number(given), mostLimit);
}
