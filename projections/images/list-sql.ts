import { visibilities } from '../../domain/image/attributes.ts';
import type { Direction, Filter, ListQuery, SortKey } from './list-query.ts';
import { shareKey } from './members.ts';
import { ofAllTenants } from './projection.ts';
import type { ImageRecord } from './record.ts';

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Whether one plan serves all values: a named statement is planned once, without looking at them. */
  readonly plannedOnce: boolean;
}

/** Nulls compare as the empty string or zero (reference, section 6.3). */
const sortExpression: Readonly<Record<SortKey, string>> = {
  name: `coalesce(name, '')`,
  status: 'status',
  container_format: `coalesce(container_format, '')`,
  disk_format: `coalesce(disk_format, '')`,
  size: 'coalesce(size, 0)',
  id: 'id',
  created_at: 'created_at',
  updated_at: 'updated_at',
};

type SortValue = string | number | Date;

const sortValue: Readonly<Record<SortKey, (image: ImageRecord) => SortValue>> = {
  name: ({ name }) => name ?? '',
  status: ({ status }) => status,
  container_format: ({ containerFormat }) => containerFormat ?? '',
  disk_format: ({ diskFormat }) => diskFormat ?? '',
  size: ({ size }) => size ?? 0,
  id: ({ id }) => id,
  created_at: ({ createdAt }) => createdAt,
  updated_at: ({ updatedAt }) => updatedAt,
};

type Sort = ListQuery['sort'];

/** Collects values and gives their placeholders. */
function parameters() {
  const values: unknown[] = [];
  return {
    values,
    add(value: unknown): string {
      values.push(value);
      return `$${values.length}`;
    },
  };
}
type Add = (value: unknown) => string;

/** What a listing reads. */
export interface Source {
  /** An item of `from` with the columns of `images.image`; `add` gives placeholders for values. */
  readonly from: (add: Add) => string;
  /** Nothing behind this image is wanted: others have a whole page up to it. */
  readonly until?: ImageRecord | undefined;
}

const live: Source = { from: () => 'images.image' };

/**
 * One page by keyset: rows behind the marker in sort order, never an offset. Where a caller may see several kinds of
 * images, each kind is a branch of its own that stops after one page (measured 20 × against `or`). Undefined when
 * the caller can see nothing of what was asked for.
 */
export function listStatement(
  query: ListQuery,
  marker: ImageRecord | undefined,
  columns: string,
  { from, until }: Source = live,
): Statement | undefined {
  const { values, add } = parameters();
  const kinds = visibleKinds(query, add);
  if (kinds.length === 0) return undefined;
  const sort = effectiveSort(query.sort);
  const conditions = [
    query.hidden ? 'hidden' : 'not hidden',
    ...query.filters.map((filter) => filterCondition(filter, add)),
    ...(marker === undefined ? [] : [beyond(marker, sort, operatorOf, add)]),
    ...(until === undefined ? [] : [notBehind(until, sort, add)]),
  ];
  return {
    text: firstOf(kinds, conditions, from(add), columns, pageOf(sort, query.limit)),
    values,
    plannedOnce: query.filters.every(({ kind, ...filter }) => kind === 'one-of' && isKey(filter)),
  };
}

/**
 * The same page as `listStatement`'s, of those alone that are among the first `depth` images that the caller may see at
 * all. What many images have is so found in the newest of them, whatever else they have in common: the planner takes
 * tags and properties to be spread evenly over kinds of images, and may walk through all of one kind that has none
 * (measured 280 ms against 4 at a million images). No index has what is shared with somebody by time: that is filtered
 * before it is sorted. Undefined where no index has the order of the listing, or one finds what is asked for.
 */
export function walkStatement(
  query: ListQuery,
  marker: ImageRecord | undefined,
  columns: string,
  depth: number,
): Statement | undefined {
  const { filters, hidden } = query;
  const sort = effectiveSort(query.sort);
  if (hidden || !isByTime(sort) || !filters.some(isOfMany)) return undefined;
  if (filters.some((filter) => isKey(filter))) return undefined;
  const { values, add } = parameters();
  const kinds = visibleKinds(query, add);
  if (kinds.length === 0) return undefined;
  const behind = marker === undefined ? [] : [beyond(marker, sort, operatorOf, add)];
  const wanted = filters.map((filter) => filterCondition(filter, add)).join(' and ');
  const candidates = kinds.map((kind) => (isOfMembers(kind) ? `${kind} and ${wanted}` : kind));
  const conditions = ['not hidden', ...behind];
  const first = firstOf(candidates, conditions, 'images.image', '*', pageOf(sort, depth));
  return {
    text: `select ${columns} from (${first}) as image where ${wanted} ${pageOf(sort, query.limit)}`,
    values,
    // Clients can combine filters in more ways than there are names for plans.
    plannedOnce: filters.length === 1 && !kinds.some(isOfMembers),
  };
}

const isOfMembers = (kind: string): boolean => kind.startsWith('shared_with ');

const isByTime = (sort: Sort): boolean =>
  sort.map(({ key }) => key).join() === 'created_at,id' &&
  sort[0]?.direction === sort[1]?.direction;

const isOfMany = ({ kind }: Filter): boolean => kind === 'tag' || kind === 'property';

/** The limit is written out: the planner must know how few rows are wanted. */
const pageOf = (sort: Sort, limit: number): string =>
  `order by ${sort.map(({ key, direction }) => `${sortExpression[key]} ${direction}`).join(', ')} limit ${Math.trunc(limit)}`;

/** One page of all kinds together, each of which has `conditions`. */
function firstOf(
  kinds: readonly string[],
  conditions: readonly string[],
  source: string,
  columns: string,
  page: string,
): string {
  const branches = kinds.map(
    (kind) => `select * from ${source} where ${[kind, ...conditions].join(' and ')} ${page}`,
  );
  return branches.length === 1
    ? (branches[0] ?? '').replace('*', columns)
    : `select ${columns} from (${branches.map((branch) => `(${branch})`).join(' union all ')}) as image ${page}`;
}

/** Equality with one name or id has the same best plan whatever the value. */
const isKey = (filter: object): boolean =>
  'field' in filter && (filter.field === 'name' || filter.field === 'id');

/** Disjoint conditions that together are what the caller's listing holds (reference, section 5.2); an index has each. */
function visibleKinds(
  { viewer, visibility, memberStatus }: ListQuery,
  add: Add,
): readonly string[] {
  const asked = visibility === undefined || visibility === 'all' ? visibilities : [visibility];
  const { projectId, isAdmin } = viewer;
  return asked.flatMap((kind) => {
    const everybodys = isAdmin || kind === 'public' || kind === 'community';
    // Community images of others are listed only for who asks for them.
    if (everybodys && !(kind === 'community' && visibility === undefined))
      return [`${ofAllTenants} and visibility = '${kind}'`];
    if (projectId === null) return [];
    const owner = add(projectId);
    const own = `owner = ${owner} and visibility = '${kind}'`;
    if (kind !== 'shared') return [own];
    const member = `shared_with @> ${add(JSON.stringify([shareKey(memberStatus, projectId)]))}::jsonb`;
    return [own, `${member} and owner is distinct from ${owner}`];
  });
}

/** Without keys that decide nothing: repeated ones, and whatever follows the id. */
function effectiveSort(sort: Sort): Sort {
  const keys = sort.map(({ key }) => key);
  const end = keys.indexOf('id');
  return sort
    .slice(0, end < 0 ? sort.length : end + 1)
    .filter(({ key }, index) => keys.indexOf(key) === index);
}

type Operators = Readonly<Record<Direction, string>>;

/** Rows on one side of an image in sort order. */
function beyond(image: ImageRecord, sort: Sort, operators: Operators, add: Add): string {
  const bounds = sort.map(({ key, direction }) => ({
    expression: sortExpression[key],
    bound: add(sortValue[key](image)),
    operator: operators[direction],
  }));
  const [operator, ...others] = new Set(bounds.map((bound) => bound.operator));
  // One comparison of rows is what an index can start from.
  if (others.length === 0)
    return `(${bounds.map(({ expression }) => expression).join(', ')}) ${operator} (${bounds.map(({ bound }) => bound).join(', ')})`;
  const alternatives = bounds.map(({ expression, bound, operator }, index) => {
    const ties = bounds.slice(0, index).map((tie) => `${tie.expression} = ${tie.bound}`);
    return `(${[...ties, `${expression} ${operator} ${bound}`].join(' and ')})`;
  });
  return `(${alternatives.join(' or ')})`;
}

const operatorOf: Operators = { asc: '>', desc: '<' };

/** The image itself is the last that is wanted; its id is the tie-breaker, and it is in another source. */
const notBehind = (image: ImageRecord, sort: Sort, add: Add): string =>
  beyond(image, sort, { asc: '<', desc: '>' }, add);

/** Of two images in the order of a listing, as Postgres compares them: texts by code point. */
export function compared(one: ImageRecord, other: ImageRecord, sort: Sort): number {
  for (const { key, direction } of sort) {
    const order = comparedValues(sortValue[key](one), sortValue[key](other));
    if (order !== 0) return direction === 'asc' ? order : -order;
  }
  return 0;
}

function comparedValues(one: SortValue, other: SortValue): number {
  if (typeof one === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(String(other)));
  return Number(one) - Number(other);
}

const textColumn = {
  owner: 'owner',
  checksum: 'checksum',
  os_hash_value: 'hash_value',
  os_hash_algo: 'hash_algorithm',
} as const;

const comparison = { eq: '=', gte: '>=', lte: '<=' } as const;

function filterCondition(filter: Filter, add: Add): string {
  switch (filter.kind) {
    case 'one-of':
      return filter.values.length === 1
        ? `${filter.field} = ${add(filter.values[0])}`
        : `${filter.field} = any (${add(filter.values)}::text[])`;
    case 'text':
      return `${textColumn[filter.field]} = ${add(filter.value)}`;
    case 'number':
      // As numeric, since any number may be asked for, and not every one fits the column.
      return `${filter.field} ${comparison[filter.comparison]} ${add(String(filter.value))}::numeric`;
    case 'time':
      return timeCondition(filter, add);
    case 'protected':
      return filter.value ? 'protected' : 'not protected';
    case 'tag':
      return `tags @> ${add(JSON.stringify([filter.value]))}::jsonb`;
    case 'property':
      return `properties @> ${add(JSON.stringify({ [filter.name]: filter.value }))}::jsonb`;
  }
}

/** Compares what the API shows, whole seconds, as a range of the stored times, which an index can use. */
function timeCondition(filter: Filter & { readonly kind: 'time' }, add: Add): string {
  const { field } = filter;
  const second = `date_trunc('second', ${add(filter.value)}::timestamptz)`;
  const next = `${second} + interval '1 second'`;
  switch (filter.comparison) {
    case 'gt':
      return `${field} >= ${next}`;
    case 'gte':
      return `${field} >= ${second}`;
    case 'lt':
      return `${field} < ${second}`;
    case 'lte':
      return `${field} < ${next}`;
    case 'eq':
      return `(${field} >= ${second} and ${field} < ${next})`;
    case 'neq':
      return `(${field} < ${second} or ${field} >= ${next})`;
  }
}
