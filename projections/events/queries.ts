import type { Pool } from 'pg';
import type { EventPage, EventQuery, Events } from './events.ts';
import {
  everyonesRows,
  positionKey,
  rowsOfReader,
  type StoredEvent,
  toldFrom,
} from './projection.ts';

/** Most keys that one statement looks at before it says how far it came: what is asked for may be rare. */
const mostScanned = 5_000;
/** A page ends with the fact that passes this, in characters. */
const pageWeight = 4 * 1024 * 1024;

export interface EventQueriesOptions {
  /** For tests: see `mostScanned`, `pageWeight`. */
  readonly scan?: number;
  readonly weight?: number;
}

interface Row extends Partial<StoredEvent> {
  readonly found: string | number | bigint;
  readonly scanned: string | number | bigint;
  readonly last: string | null;
}

/** Queries over the views of the read model `events`. None looks at more rows than it is asked to. */
export function eventQueries(
  pool: Pool,
  { scan = mostScanned, weight = pageWeight }: EventQueriesOptions = {},
): Events {
  return {
    async page(query): Promise<EventPage> {
      const { after, upTo, limit } = query;
      if (upTo <= after || limit < 1) return { events: [], next: after };
      const { rows } = await pool.query<Row>(statement(query, scan, weight));
      const events = rows.filter((row): row is Row & StoredEvent => typeof row.id === 'string');
      const found = Number(rows[0]?.found ?? 0);
      const lastEvent = events.at(-1);
      const cut = events.length < found || found === limit;
      const lastScanned = rows[0]?.last;
      if (cut && lastEvent !== undefined)
        return { events: events.map(toldFrom), next: BigInt(lastEvent.id) };
      const all = Number(rows[0]?.scanned ?? 0) < scan || !lastScanned;
      return { events: events.map(toldFrom), next: all ? upTo : BigInt(lastScanned) };
    },
    async checkpoint() {
      const { rows } = await pool.query<{ position: string }>({
        name: 'events-checkpoint',
        text: `select position::text from read_model.generation where model = 'events' and state = 'live'`,
      });
      return BigInt(rows[0]?.position ?? 0);
    },
  };
}

/**
 * Keys first, from the one index that has what is asked for in its order, and not more than `scan` of them; then what
 * is left of the conditions on those; then the facts themselves, as many as weigh no more than a page may. The limits
 * of one keep the planner from reading whole tables instead of looking up each key.
 */
export function statement(
  { viewer, filter, after, upTo, limit }: EventQuery,
  scan: number,
  weight: number,
): { name: string; text: string; values: unknown[] } {
  const path = pathOf(viewer.isAdmin, filter);
  const values = [
    positionKey(after),
    positionKey(upTo),
    limit,
    scan,
    weight,
    filter.types ?? null,
    filter.image === undefined ? null : `image-${filter.image}`,
    filter.project ?? null,
    ...(viewer.isAdmin ? [] : [ownRows(viewer.projectId)]),
  ];
  return { name: `events-${path.name}`, text: textOf(path), values };
}

/** No key begins with a position. */
const ownRows = (projectId: string | null): string =>
  projectId === null ? '' : rowsOfReader(projectId);

interface Path {
  readonly name: string;
  /** Gives `id`, in its order, at most $4. */
  readonly keys: string;
  /** Whether the keys are of facts that the viewer may not read, too. */
  readonly open: boolean;
}

const range = `id > $1::text and id <= $2::text order by id limit $4::integer`;
const readerRange = (rows: string): string => `
        select event as id from events.reader
        where id > ${rows} || $1::text and id <= ${rows} || $2::text
        order by events.reader.id
        limit $4::integer`;

const byImage = `select id from events.event where stream = $7::text and ${range}`;
const byProject = `
      select id from (
        (select id from events.event where project = $8::text and ${range})
        union all
        (select id from events.event where former = $8::text and ${range})
      ) as either
      order by id
      limit $4::integer`;
const byReader = `
      select id from (
        (${readerRange('$9::text')})
        union all
        (${readerRange(`'${everyonesRows}'::text`)})
      ) as either
      order by id
      limit $4::integer`;

function pathOf(isAdmin: boolean, { image, project }: EventQuery['filter']): Path {
  const who = isAdmin ? 'admin' : 'project';
  if (image !== undefined) return { name: `${who}-image`, keys: byImage, open: !isAdmin };
  if (project !== undefined) return { name: `${who}-owner`, keys: byProject, open: !isAdmin };
  return isAdmin
    ? { name: 'admin-all', keys: `select id from events.event where ${range}`, open: false }
    : { name: 'project-all', keys: byReader, open: false };
}

const mayRead = `
        and exists (
          select from events.reader
          where reader.id = any (array[$9::text || event.id, '${everyonesRows}' || event.id])
        )`;

const textOf = ({ keys, open }: Path): string => `
    with keys as materialized (
      ${keys}
    ),
    found as materialized (
      select event.id, event.weight
      from keys cross join lateral (
          select * from events.event where event.id = keys.id limit 1
        ) as event
      where ($6::text[] is null or event.type = any ($6::text[]))
        and ($7::text is null or event.stream = $7::text)
        and ($8::text is null or event.project = $8::text or event.former = $8::text)${open ? mayRead : ''}
      order by event.id
      limit $3::integer
    ),
    chosen as (
      select id
      from (select id, weight, sum(weight) over (order by id) as until from found) as weighed
      where until - weight < $5::bigint
    )
    select whole.found::text, whole.scanned::text, whole.last, page.*
    from (
        select (select count(*) from found) as found, count(*) as scanned, max(id) as last
        from keys
      ) as whole
      left join (
        select event.id, stream, type, project, former, event.event
        from chosen cross join lateral (
            select * from events.event where event.id = chosen.id limit 1
          ) as event
      ) as page on true
    order by page.id`;
