import type { Pool } from 'pg';
import { positionKey } from '../events/projection.ts';
import { type ChangeRow, changeFrom } from './change.ts';
import type { History, HistoryPage, HistoryQuery } from './history.ts';

/** Most keys that one statement looks at before it says how far it came: what is asked for may be rare. */
const mostScanned = 5_000;
/** A page ends with the change that passes this, in characters. */
const pageWeight = 4 * 1024 * 1024;
/** How far the log's clock may step back: times only narrow down where to look. */
export const clockStep = `interval '10 minutes'`;

export interface HistoryQueriesOptions {
  /** For tests: see `mostScanned`, `pageWeight`. */
  readonly scan?: number;
  readonly weight?: number;
}

interface Found extends Partial<ChangeRow> {
  readonly found: string;
  readonly scanned: string;
  readonly last: string | null;
}

/** Queries over the view `history.change`. None looks at more rows than it is asked to. */
export function historyQueries(
  pool: Pool,
  { scan = mostScanned, weight = pageWeight }: HistoryQueriesOptions = {},
): History {
  /** The same query, of no more positions than its times leave. */
  const narrowed = async (query: HistoryQuery): Promise<HistoryQuery> => {
    const { from, to } = query.filter;
    if (from === undefined && to === undefined) return query;
    const { rows } = await pool.query<{ first: string | null; last: string | null }>({
      name: 'history-times',
      text: `
        select
          (select id from history.change where at >= $1::timestamptz - ${clockStep} order by at, id limit 1) as first,
          (select id from history.change where at <= $2::timestamptz + ${clockStep} order by at desc, id desc limit 1) as last`,
      values: [from ?? null, to ?? null],
    });
    const first = rows[0]?.first;
    const last = rows[0]?.last;
    const nothing = from !== undefined && first == null;
    const after = nothing ? query.upTo : first == null ? query.after : BigInt(first) - 1n;
    const upTo = to === undefined ? query.upTo : BigInt(last ?? 0);
    return {
      ...query,
      after: after > query.after ? after : query.after,
      upTo: upTo < query.upTo ? upTo : query.upTo,
    };
  };

  return {
    async page(asked): Promise<HistoryPage> {
      const query = await narrowed(asked);
      if (query.upTo <= query.after || query.limit < 1)
        return { changes: [], next: query.limit < 1 ? asked.after : asked.upTo };
      const { rows } = await pool.query<Found>(statement(query, scan, weight));
      const changes = rows.filter((row): row is Found & ChangeRow => typeof row.id === 'string');
      const found = Number(rows[0]?.found ?? 0);
      const lastScanned = rows[0]?.last;
      const lastChange = changes.at(-1);
      const cut = changes.length < found || found === query.limit;
      if (cut && lastChange !== undefined)
        return { changes: changes.map(changeFrom), next: BigInt(lastChange.id) };
      const all = Number(rows[0]?.scanned ?? 0) < scan || !lastScanned;
      return { changes: changes.map(changeFrom), next: all ? asked.upTo : BigInt(lastScanned) };
    },
    async checkpoint() {
      const { rows } = await pool.query<{ position: string }>({
        name: 'history-checkpoint',
        text: `select position::text from read_model.generation where model = 'history' and state = 'live'`,
      });
      return BigInt(rows[0]?.position ?? 0);
    },
  };
}

type Add = (value: unknown) => string;

/**
 * Keys first, from the one index that has what is asked for in its order, and not more than `scan` of them; then what is
 * left of the conditions on those; then the changes themselves, as many as weigh no more than a page may.
 */
export function statement(
  query: HistoryQuery,
  scan: number,
  weight: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const add: Add = (value) => {
    values.push(value);
    return `$${values.length}`;
  };
  const range = `id > ${add(positionKey(query.after))}::text and id <= ${add(positionKey(query.upTo))}::text
          order by id limit ${Math.trunc(scan)}`;
  const keys = keysOf(query, range, add);
  const conditions = conditionsOf(query, add);
  const text = `
    with keys as materialized (
      ${keys}
    ),
    found as materialized (
      select change.id, change.weight
      from keys cross join lateral (
          select * from history.change where change.id = keys.id limit 1
        ) as change
      where ${conditions.length === 0 ? 'true' : conditions.join('\n        and ')}
      order by change.id
      limit ${Math.trunc(query.limit)}
    ),
    chosen as (
      select id
      from (select id, weight, sum(weight) over (order by id) as until from found) as weighed
      where until - weight < ${add(weight)}::bigint
    )
    select whole.found::text, whole.scanned::text, whole.last, page.*
    from (
        select (select count(*) from found) as found, count(*) as scanned, max(id) as last
        from keys
      ) as whole
      left join (
        select change.*
        from chosen cross join lateral (
            select * from history.change where change.id = chosen.id limit 1
          ) as change
      ) as page on true
    order by page.id`;
  return { text, values };
}

function keysOf({ viewer, filter }: HistoryQuery, range: string, add: Add): string {
  const { object, namespace, actor, project, refused } = filter;
  if (object !== undefined)
    return `select id from history.change where object = ${add(object)}::text and ${range}`;
  if (namespace !== undefined) return ofEach(namespacesNamed(add(namespace)), range);
  const owner = viewer.seesAll ? project : (viewer.projectId ?? '');
  if (actor !== undefined && viewer.seesAll)
    return `select id from history.change where actor = ${add(actor)}::text and ${range}`;
  if (owner !== undefined) {
    const named = add(owner);
    return `
      select id from (
        (select id from history.change where project = ${named}::text and ${range})
        union all
        (select id from history.change where former = ${named}::text and ${range})
      ) as either
      order by id
      ${limitOf(range)}`;
  }
  return `select id from history.change where ${refused === true ? 'refused and ' : ''}${range}`;
}

/** Attempts on a namespace that were refused are about its name. */
const namespacesNamed = (name: string): string => `
          select object from history.change where name = ${name}::text and kind = 'namespace'
          union
          select ${name}::text`;

const ofEach = (objects: string, range: string): string => `
      select each.id
      from (${objects}
        ) as named cross join lateral (
          select id from history.change where change.object = named.object and ${range}
        ) as each
      order by each.id
      ${limitOf(range)}`;

const limitOf = (range: string): string => range.slice(range.lastIndexOf('limit'));

function conditionsOf({ viewer, filter }: HistoryQuery, add: Add): readonly string[] {
  const { project, actor, types, kinds, refused, from, to } = filter;
  const ownedBy = (placeholder: string): string =>
    `(change.project = ${placeholder}::text or change.former = ${placeholder}::text)`;
  return [
    ...(viewer.seesAll ? [] : ['not change.inside', 'not change.refused']),
    ...(viewer.seesAll
      ? []
      : [viewer.projectId === null ? 'false' : ownedBy(add(viewer.projectId))]),
    ...(project === undefined ? [] : [ownedBy(add(project))]),
    ...(actor === undefined ? [] : [`change.actor = ${add(actor)}::text`]),
    ...(types === undefined ? [] : [`change.type = any (${add(types)}::text[])`]),
    ...(kinds === undefined ? [] : [`change.kind = any (${add(kinds)}::text[])`]),
    ...(refused === undefined ? [] : [refused ? 'change.refused' : 'not change.refused']),
    ...(from === undefined ? [] : [`change.at >= ${add(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`change.at <= ${add(to)}::timestamptz`]),
  ];
}
