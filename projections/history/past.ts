import type { Pool } from 'pg';
import { positionKey } from '../events/projection.ts';
import type { ListQuery } from '../images/list-query.ts';
import { compared, type Source } from '../images/list-sql.ts';
import { askOf, listed, partsOf, type ReadPart, storable } from '../images/listing.ts';
import { columnOf } from '../images/projection.ts';
import type { ImageRecord } from '../images/record.ts';
import { recordColumns, recordFrom } from '../images/record-from.ts';
import type { PastImages } from './history.ts';
import { span } from './projection.ts';
import { clockStep } from './queries.ts';

const columns = [
  ...Object.values(columnOf).filter((column) => column !== 'id'),
  'shared_with',
].join(', ');

/** Images that are since then as they were. */
const sinceThen = (at: bigint): Source => ({
  from: (add) =>
    `(select id, ${columns} from history.image where from_position <= ${add(String(at))}::bigint) as image`,
});

/**
 * Images that were so then and changed later. Where nothing else is asked of them the span is said twice, once for each
 * kind of index: the one that finds what was so then, and those in the order of a listing, which pass over what was
 * not. With a condition that has an index of its own the second would look too cheap. None was created after the
 * position's own time: without that, a listing that begins with the newest would pass over every version of them.
 */
const untilLater = (
  at: bigint,
  time: string,
  { filters }: ListQuery,
  until: ImageRecord | undefined,
): Source => ({
  from(add) {
    const position = `${add(String(at))}::bigint`;
    const again = `and from_position <= ${position} and to_position > ${position}`;
    return `(
      select image as id, ${columns} from history.past
      where ${span()} @> ${position} ${filters.length === 0 ? again : ''}
        and created_at <= ${add(time)}::timestamptz
    ) as image`;
  },
  until,
});

/** Queries over the views `history.image` and `history.past`, by the very code that lists live images. */
export function pastQueries(pool: Pool): PastImages {
  const ask = askOf(pool);

  const show = async (imageId: string, at: bigint): Promise<ImageRecord | undefined> => {
    if (!storable(imageId)) return undefined;
    const [row] = await ask('history-show', showText, [imageId, String(at), positionKey(at)]);
    return row === undefined ? undefined : recordFrom(row);
  };

  /** Each image is in one of the two at most. What the first has a page of need not be looked for beyond in the second. */
  const partAt = (at: bigint): ReadPart => {
    let time: Promise<string | null> | undefined;
    return async (query, last) => {
      time ??= ask('history-time-of', timeText, [positionKey(at)]).then(
        ([row]) => row?.[0] ?? null,
      );
      const [then, still] = await Promise.all([time, partsOf(ask, sinceThen(at))(query, last)]);
      if (then === null || still === undefined) return undefined;
      const until = still.length < query.limit ? undefined : still.at(-1);
      const ended = await partsOf(ask, untilLater(at, then, query, until))(query, last);
      return [...still, ...(ended ?? [])]
        .sort((one, other) => compared(one, other, query.sort))
        .slice(0, query.limit);
    };
  };

  return {
    show,
    list: (query, at) =>
      listed(query, { readPart: partAt(at), show: (imageId) => show(imageId, at) }),
    async positionAt(time) {
      const [row] = await ask('history-position-at', positionText, [time.toISOString()]);
      const [position, isPast] = row ?? [];
      return { position: BigInt(position ?? 0), isPast: isPast === 't' };
    },
  };
}

const showText = `
  select ${recordColumns}
  from (select * from history.image where id = $1::text limit 1) as image
  where from_position <= $2::bigint
  union all
  select ${recordColumns}
  from (
      select image as id, ${columns}, to_position
      from history.past
      where past.id > $1::text || '/' and past.id <= $1::text || '/' || $3::text
      order by past.id desc
      limit 1
    ) as image
  where to_position > $2::bigint`;

const timeText = `
  select at + ${clockStep} from history.change where id <= $1::text order by id desc limit 1`;

/** The log's clock may step back by a little: of two changes the later recorded one counts. */
const positionText = `
  select
    (select id::bigint from history.change where at <= $1::timestamptz order by at desc, change.id desc limit 1),
    exists (select from history.change where at > $1::timestamptz)`;
