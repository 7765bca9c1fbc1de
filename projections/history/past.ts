import type { Pool } from 'pg';
import { positionKey } from '../events/projection.ts';
import type { Sources } from '../images/list-sql.ts';
import { askOf, listed, storable } from '../images/listing.ts';
import { columnOf } from '../images/projection.ts';
import type { ImageRecord } from '../images/record.ts';
import { recordColumns, recordFrom } from '../images/record-from.ts';
import type { PastImages } from './history.ts';
import { span } from './projection.ts';

const columns = [
  ...Object.values(columnOf).filter((column) => column !== 'id'),
  'shared_with',
].join(', ');

/** Versions that have ended, and those that have not: of each image at most one is of the position. */
const sourcesAt =
  (at: bigint): Sources =>
  (add) => {
    const position = `${add(String(at))}::bigint`;
    return [
      `(select id, ${columns} from history.image where from_position <= ${position}) as image`,
      `(select image as id, ${columns} from history.past where ${span()} @> ${position}) as image`,
    ];
  };

/** Queries over the views `history.image` and `history.past`, by the very code that lists live images. */
export function pastQueries(pool: Pool): PastImages {
  const ask = askOf(pool);

  const show = async (imageId: string, at: bigint): Promise<ImageRecord | undefined> => {
    if (!storable(imageId)) return undefined;
    const [row] = await ask('history-show', showText, [imageId, String(at), positionKey(at)]);
    return row === undefined ? undefined : recordFrom(row);
  };

  return {
    show,
    list: (query, at) =>
      listed(query, { ask, show: (imageId) => show(imageId, at), sources: sourcesAt(at) }),
    async positionAt(time) {
      const [row] = await ask('history-position-at', positionText, [time.toISOString()]);
      const [position, isPast] = row ?? [];
      return { position: BigInt(position ?? 0), isPast: isPast === 't' };
    },
  };
}

const showText = `
  select ${recordColumns} from history.image where id = $1::text and from_position <= $2::bigint
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

/** The log's clock may step back by a little: of two changes the later recorded one counts. */
const positionText = `
  select
    (select id::bigint from history.change where at <= $1::timestamptz order by at desc, id desc limit 1),
    exists (select from history.change where at > $1::timestamptz)`;
