import { outsideTypes } from '../../../domain/outside/exposure.ts';
import { typeNamed } from '../../../infra/outside/type-named.ts';
import type { EventFilter } from '../../../projections/events/events.ts';
import { HttpError } from '../http-error.ts';
import { isUuid } from '../wire/image-schema.ts';
import { allOf, lastOf, type Parameters } from '../wire/query-string.ts';

const defaultLimit = 100;
const mostLimit = 1_000;
/** The last position that there can be. */
const lastPosition = 2n ** 63n - 1n;

const filterNames = ['project', 'image', 'type'];

/** What `GET /events/v1` asks; 400 for what it cannot mean. */
export function pageQueryFrom(parameters: Parameters) {
  knowing(parameters, ['after', 'limit', ...filterNames]);
  return {
    after: positionFrom('after', lastOf(parameters, 'after')) ?? 0n,
    limit: limitFrom(lastOf(parameters, 'limit')),
    filter: filterFrom(parameters),
  };
}

/** What `GET /events/v1/stream` asks. Whoever comes again goes on where it was, whatever its URL says. */
export function streamQueryFrom(parameters: Parameters, lastEventId: string) {
  knowing(parameters, ['after', ...filterNames]);
  const after = positionFrom('after', lastOf(parameters, 'after'));
  return {
    /** Undefined: from now on. */
    after: positionFrom('Last-Event-ID', lastEventId || undefined) ?? after,
    filter: filterFrom(parameters),
  };
}

function filterFrom(parameters: Parameters): EventFilter {
  const image = lastOf(parameters, 'image');
  if (image !== undefined && !isUuid(image))
    throw new HttpError(400, 'The parameter image must be the id of an image.');
  const named = allOf(parameters, 'type').flatMap((value) => value.split(','));
  return {
    project: lastOf(parameters, 'project'),
    image: image?.toLowerCase(),
    types: named.length === 0 ? undefined : [...new Set(named.map(typeFrom))],
  };
}

function typeFrom(name: string): string {
  const type = typeNamed(name);
  if (type !== undefined) return type;
  const known = outsideTypes.join(', ');
  throw new HttpError(400, `There are no events of type '${name}'. There are: ${known}.`);
}

function limitFrom(given: string | undefined): number {
  if (given === undefined) return defaultLimit;
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new HttpError(400, 'The parameter limit must be a number above 0.');
  return Math.min(Number(given), mostLimit);
}

function positionFrom(name: string, given: string | undefined): bigint | undefined {
  if (given === undefined) return undefined;
  const position = /^\d{1,19}$/.test(given) ? BigInt(given) : lastPosition + 1n;
  if (position <= lastPosition) return position;
  throw new HttpError(400, `${name} must be a position: the decimal number that an event carries.`);
}

function knowing(parameters: Parameters, known: readonly string[]): void {
  const unknown = parameters.find(([name]) => !known.includes(name))?.[0];
  if (unknown !== undefined)
    throw new HttpError(
      400,
      `There is no parameter '${unknown}' here. There are: ${known.join(', ')}.`,
    );
}
