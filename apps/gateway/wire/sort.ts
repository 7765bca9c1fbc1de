import type { Direction, ListQuery, SortKey } from '../../../projections/images/list-query.ts';
import { HttpError } from '../http-error.ts';
import { allOf, lastOf, type Parameters } from './query-string.ts';

type Sort = ListQuery['sort'];

const sortKeys: readonly SortKey[] = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
];

/** Both syntaxes of the reference, section 6.3, with the tie-breakers `created_at` and `id` appended. */
export function sortFrom(parameters: Parameters): Sort {
  const together = lastOf(parameters, 'sort');
  const keys = allOf(parameters, 'sort_key').map((key) => key.trim());
  const directions = allOf(parameters, 'sort_dir').map(directionFrom);
  if (together !== undefined && keys.length + directions.length > 0)
    throw new HttpError(400, 'Old and new sorting syntax cannot be combined.');
  const sort =
    together === undefined ? fromLists(keys, directions) : together.split(',').map(keyAndDirection);
  return withTieBreakers(sort);
}

function fromLists(keys: readonly string[], directions: readonly Direction[]): Sort {
  const wanted = keys.length === 0 ? ['created_at'] : keys;
  if (directions.length > 1 && directions.length !== wanted.length)
    throw new HttpError(400, 'Number of sort dirs does not match the number of sort keys.');
  return wanted.map((key, index) => ({
    key: keyFrom(key),
    direction: directions[index] ?? directions[0] ?? 'desc',
  }));
}

function keyAndDirection(text: string): Sort[number] {
  const [key = '', direction = 'desc', ...rest] = text.split(':').map((part) => part.trim());
  if (rest.length > 0) throw new HttpError(400, `Invalid sort: ${text}.`);
  return { key: keyFrom(key), direction: directionFrom(direction) };
}

function withTieBreakers(sort: Sort): Sort {
  const direction = sort.length === 1 ? (sort[0]?.direction ?? 'desc') : 'desc';
  const missing = (['created_at', 'id'] as const).filter(
    (key) => !sort.some((one) => one.key === key),
  );
  return [...sort, ...missing.map((key) => ({ key, direction }))];
}

function keyFrom(text: string): SortKey {
  const key = sortKeys.find((known) => known === text);
  if (key !== undefined) return key;
  throw new HttpError(400, `Invalid sort key: ${text}. It must be one of ${sortKeys.join(', ')}.`);
}

function directionFrom(text: string): Direction {
  const direction = text.trim();
  if (direction === 'asc' || direction === 'desc') return direction;
  throw new HttpError(400, `Invalid sort direction: ${text}.`);
}
