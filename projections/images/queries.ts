import type { Pool } from 'pg';
import { together } from '../../domain/together.ts';
import type { Images } from './images.ts';
import { askOf, listed, partsOf, planNames, storable } from './listing.ts';
import type { ImageRecord, Work } from './record.ts';
import { recordColumns, recordFrom, type Values } from './record-from.ts';

/** Queries over the views of the read model, which name the live generation: each sees one generation only. */
export function imageQueries(pool: Pool): Images {
  const rows = askOf(pool);
  const readPart = partsOf(rows, undefined, planNames('images-list'));

  const shown = together(async (imageIds: readonly string[]) => {
    const found = await rows('images-show', showText, [imageIds]);
    return new Map(found.map(recordFrom).map((record) => [record.id, record]));
  });
  const show = async (imageId: string): Promise<ImageRecord | undefined> =>
    storable(imageId) ? shown(imageId) : undefined;

  return {
    show,
    list: (query) => listed(query, { readPart, show }),
    async openWork() {
      return (await rows('images-open-work', openWorkText, [])).map(workFrom);
    },
    async namedKeys(keys) {
      const found = await rows('images-named-keys', namedKeysText, [keys]);
      return new Set(found.map(([key]) => String(key)));
    },
    async checkpoint() {
      const [row] = await rows(
        'images-checkpoint',
        `select position from read_model.generation where model = 'images' and state = 'live'`,
        [],
      );
      return BigInt(row?.[0] ?? 0);
    },
  };
}

const showText = `select ${recordColumns} from images.image where id = any($1)`;

const namedKeysText = `
  select unnest(store_keys) from images.image where store_keys && $1::text[]
  union all
  select unnest(store_keys) from images.kept where store_keys && $1::text[]`;

const workColumns = `
  id, kind, upload_id, owner, epoch, position, (extract(epoch from since) * 1000)::bigint,
  (extract(epoch from due) * 1000)::bigint, correlation_id`;

/** Two indexes: what is due for long is among much that is due one day. */
const openWorkText = `
  select ${workColumns} from images.work where due is null
  union all
  select ${workColumns} from images.work where due <= now()
  order by position`;

const workFrom = (values: Values): Work => {
  const [imageId, kind, uploadId, owner, epoch, position, since, due, correlationId] = values;
  return {
    imageId: String(imageId),
    kind: kind as Work['kind'],
    uploadId: uploadId ?? null,
    owner: owner ?? null,
    epoch: Number(epoch),
    position: BigInt(position ?? 0),
    since: new Date(Number(since)),
    due: due == null ? null : new Date(Number(due)),
    correlationId: String(correlationId),
  };
};
