import type { NamespaceVisibility } from '../../../domain/metadef/content.ts';
import {
  type Direction,
  type NamespaceQuery,
  sortKeys,
} from '../../../projections/metadefs/metadefs.ts';
import type { Dated } from '../../../projections/metadefs/record.ts';
import { HttpError } from '../http-error.ts';
import { wholeNumber } from './filter-values.ts';
import { lastOf, type Parameters } from './query-string.ts';

const defaultLimit = 25;
const maxLimit = 1000;

/** The query of `GET /v2/metadefs/namespaces` (reference, section 19.1); 400 for what makes no sense. */
export function namespaceQueryFrom(
  parameters: Parameters,
  viewer: NamespaceQuery['viewer'],
): NamespaceQuery {
  const limit = lastOf(parameters, 'limit');
  const visibility = lastOf(parameters, 'visibility');
  return {
    viewer,
    visibility:
      visibility === undefined || visibility === ''
        ? undefined
        : oneOf<NamespaceVisibility>('visibility', visibility, ['public', 'private']),
    resourceTypes: lastOf(parameters, 'resource_types')?.split(','),
    sort: {
      key: oneOf('sort_key', lastOf(parameters, 'sort_key') ?? 'created_at', sortKeys),
      direction: directionFrom(parameters),
    },
    marker: lastOf(parameters, 'marker') || undefined,
    limit: limit === undefined ? defaultLimit : Math.min(wholeNumber('limit', limit), maxLimit),
  };
}

const directionFrom = (parameters: Parameters): Direction =>
  oneOf('sort_dir', lastOf(parameters, 'sort_dir') ?? 'desc', ['asc', 'desc']);

const datedKeys = ['created_at', 'updated_at', 'name', 'id'] as const;

/**
 * One page of what lies in a namespace: `marker` is a name, and no limit is none. `unknown` says that the marker names
 * nothing here.
 */
export function pageOf(
  all: readonly Dated[],
  parameters: Parameters,
  unknown: (marker: string) => Error,
): readonly Dated[] {
  const key = oneOf('sort_key', lastOf(parameters, 'sort_key') ?? 'created_at', datedKeys);
  const ascending = [...all];
  if (key === 'name') ascending.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (key === 'updated_at')
    ascending.sort((a, b) => (a.updatedAt < b.updatedAt ? -1 : a.updatedAt > b.updatedAt ? 1 : 0));
  const sorted = directionFrom(parameters) === 'asc' ? ascending : ascending.reverse();
  const marker = lastOf(parameters, 'marker');
  const after =
    marker === undefined || marker === '' ? -1 : sorted.findIndex(({ name }) => name === marker);
  if (marker !== undefined && marker !== '' && after < 0) throw unknown(marker);
  const limit = lastOf(parameters, 'limit');
  const count = limit === undefined || limit === '' ? sorted.length : wholeNumber('limit', limit);
  return sorted.slice(after + 1, after + 1 + count);
}

function oneOf<Value extends string>(name: string, text: string, known: readonly Value[]): Value {
  const value = known.find((one) => one === text);
  if (value !== undefined) return value;
  throw new HttpError(400, `${name} must be one of ${known.join(', ')}, not "${text}".`);
}
