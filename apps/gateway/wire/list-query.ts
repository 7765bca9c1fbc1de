import {
  type MemberStatus,
  memberStatuses,
  type Visibility,
  visibilities,
} from '../../../domain/image/attributes.ts';
import type { Viewer } from '../../../domain/image/visibility.ts';
import type { Filter, ListQuery } from '../../../projections/images/list-query.ts';
import { HttpError } from '../http-error.ts';
import { integer, oneOfValues, timeCondition, wholeNumber } from './filter-values.ts';
import type { Reading } from './image.ts';
import { isUuid } from './image-schema.ts';
import { allOf, lastOf, type Parameters } from './query-string.ts';
import { sortFrom } from './sort.ts';

/** How many images a page has when the client does not say, and at most. */
export interface PageSizes {
  readonly usual: number;
  readonly most: number;
}

/** Parameters that are no conditions on an image, or are read apart; `deleted` has no meaning in v2. */
const apart: ReadonlySet<string> = new Set([
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'tag',
  'visibility',
  'os_hidden',
  'member_status',
  'deleted',
]);

/**
 * The query of `GET /v2/images` (reference, section 6.3); 400 for what makes no sense. A condition on a property that the
 * caller may not read holds for no image, as if none had it: its value must not be guessed from what is listed.
 */
export function listQueryFrom(
  parameters: Parameters,
  viewer: Viewer,
  { isReadable }: Pick<Reading, 'isReadable'>,
  pages: PageSizes,
): ListQuery {
  const limit = lastOf(parameters, 'limit');
  return {
    viewer,
    filters: filtersFrom(parameters).map((filter) =>
      filter.kind === 'property' && !isReadable(filter.name) ? nothing : filter,
    ),
    visibility: visibilityFrom(lastOf(parameters, 'visibility')),
    memberStatus: memberStatusFrom(lastOf(parameters, 'member_status')),
    hidden: hiddenFrom(lastOf(parameters, 'os_hidden')),
    sort: sortFrom(parameters),
    marker: markerFrom(lastOf(parameters, 'marker')),
    limit: Math.min(limit === undefined ? pages.usual : wholeNumber('limit', limit), pages.most),
  };
}

function filtersFrom(parameters: Parameters): readonly Filter[] {
  const names = new Set(parameters.map(([name]) => name));
  const single = [...names]
    .filter((name) => !apart.has(name))
    .map((name) => filterFrom(name, lastOf(parameters, name) ?? ''));
  const tags = allOf(parameters, 'tag').map((value): Filter => ({ kind: 'tag', value }));
  const unseen = lastOf(parameters, 'visibility') === '' ? [nothing] : [];
  return [...single, ...tags, ...unseen];
}

function filterFrom(name: string, text: string): Filter {
  switch (name) {
    case 'id':
      return {
        kind: 'one-of',
        field: name,
        values: oneOfValues(name, text)
          .filter(isUuid)
          .map((id) => id.toLowerCase()),
      };
    case 'name':
    case 'status':
    case 'container_format':
    case 'disk_format':
      return { kind: 'one-of', field: name, values: oneOfValues(name, text) };
    case 'owner':
    case 'checksum':
    case 'os_hash_value':
    case 'os_hash_algo':
      return { kind: 'text', field: name, value: text };
    case 'min_disk':
    case 'min_ram':
    case 'size':
    case 'virtual_size':
      return equalTo(name, integer(text));
    case 'size_min':
      return { kind: 'number', field: 'size', comparison: 'gte', value: bound(name, text) };
    case 'size_max':
      return { kind: 'number', field: 'size', comparison: 'lte', value: bound(name, text) };
    case 'created_at':
    case 'updated_at':
      return { kind: 'time', field: name, ...timeCondition(name, text) };
    case 'protected':
      return { kind: 'protected', value: oneOf(name, text, ['true', 'false']) === 'true' };
    case 'changes-since':
      throw new HttpError(400, 'The "changes-since" filter is no longer available.');
    default:
      return { kind: 'property', name, value: text };
  }
}

const nothing: Filter = { kind: 'one-of', field: 'id', values: [] };

/** What is no number equals none: the listing is empty, and there is no error. */
const equalTo = (field: NumberField, value: number | undefined): Filter =>
  value === undefined ? nothing : { kind: 'number', field, comparison: 'eq', value };

type NumberField = (Filter & { kind: 'number' })['field'];

function bound(name: string, text: string): number {
  const value = integer(text);
  if (value !== undefined) return value;
  throw new HttpError(400, `${name} must be an integer, not "${text}".`);
}

/** An empty one is no error, and no image's: see `filtersFrom`. */
const visibilityFrom = (text: string | undefined): Visibility | 'all' | undefined =>
  text === undefined || text === ''
    ? undefined
    : oneOf<Visibility | 'all'>('visibility', text, [...visibilities, 'all']);

const memberStatusFrom = (text: string | undefined): MemberStatus | 'all' =>
  text === undefined
    ? 'accepted'
    : oneOf<MemberStatus | 'all'>('member_status', text, [...memberStatuses, 'all']);

const hiddenFrom = (text: string | undefined): boolean =>
  text !== undefined && oneOf('os_hidden', text.toLowerCase(), ['true', 'false']) === 'true';

function markerFrom(text: string | undefined): string | undefined {
  if (text === undefined || isUuid(text)) return text?.toLowerCase();
  throw new HttpError(400, `Image ${text} could not be found: it cannot be the marker.`);
}

function oneOf<Value extends string>(name: string, text: string, known: readonly Value[]): Value {
  const value = known.find((one) => one === text);
  if (value !== undefined) return value;
  throw new HttpError(400, `${name} must be one of ${known.join(', ')}, not "${text}".`);
}
