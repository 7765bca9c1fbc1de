import { createHash } from 'node:crypto';
import type { Pool, QueryArrayResult } from 'pg';
import { isVisibleTo } from '../../domain/image/visibility.ts';
import { type Images, MarkerInvisible, MarkerUnknown } from './images.ts';
import type { Filter, ListQuery } from './list-query.ts';
import { listStatement } from './list-sql.ts';
import { isFull, weightOfPage } from './page.ts';
import type { ImageRecord, Work } from './record.ts';
import { recordColumns, recordFrom, type Values } from './record-from.ts';

/** Most listings that a connection keeps a plan for: clients can make up more shapes than Postgres should remember. */
const mostNamed = 256;

/**
 * A page is read in parts, each behind the last image of the one before, so that large images do not all come at once:
 * the first tells whether the rest may come whole.
 */
const partWeight = 4 * 1024 * 1024;
const partRows = 25;

/** Every value as Postgres writes it: what the pool makes of a type is none of our business here. */
const asText = { getTypeParser: () => (value: string) => value };

/** Queries over the views of the read model, which name the live generation: each sees one generation only. */
export function imageQueries(pool: Pool): Images {
  const named = new Map<string, string>();
  const nameOf = (text: string): string | undefined => {
    const known = named.get(text);
    if (known !== undefined || named.size >= mostNamed) return known;
    const name = `images-list-${createHash('sha1').update(text).digest('base64url')}`;
    named.set(text, name);
    return name;
  };
  const rows = async (
    name: string | undefined,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Values[]> => {
    const result: QueryArrayResult<(string | null)[]> = await pool.query({
      text,
      values: [...values],
      rowMode: 'array',
      types: asText,
      ...(name === undefined ? {} : { name }),
    });
    return result.rows;
  };

  const show = async (imageId: string): Promise<ImageRecord | undefined> => {
    if (!storable(imageId)) return undefined;
    const [row] = await rows('images-show', showText, [imageId]);
    return row === undefined ? undefined : recordFrom(row);
  };

  const markerOf = async ({ marker, viewer }: ListQuery): Promise<ImageRecord | undefined> => {
    if (marker === undefined) return undefined;
    const image = await show(marker);
    if (image === undefined) throw new MarkerUnknown(marker);
    if (!isVisibleTo(image, viewer)) throw new MarkerInvisible(marker);
    return image;
  };

  return {
    show,
    async list(query) {
      const marker = await markerOf(query);
      if (query.limit === 0 || !query.filters.every(canMatch)) return [];
      let page: readonly ImageRecord[] = [];
      let last = marker;
      while (!isFull(page, query.limit)) {
        const wanted = query.limit - page.length;
        const light = page.length > 0 && (weightOfPage(page) / page.length) * wanted <= partWeight;
        const limit = light ? wanted : Math.min(wanted, partRows);
        const statement = listStatement({ ...query, limit }, last, recordColumns);
        if (statement === undefined) break;
        const { text, values, plannedOnce } = statement;
        const found = await rows(plannedOnce ? nameOf(text) : undefined, text, values);
        const part = found.map(recordFrom);
        // An image that changed meanwhile may have moved behind those of a part that it was in.
        const known = new Set(page.map(({ id }) => id));
        page = [...page, ...part.filter(({ id }) => !known.has(id))];
        last = part.at(-1);
        if (part.length < limit) break;
      }
      return page;
    },
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

const showText = `select ${recordColumns} from images.image where id = $1`;

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

/** Postgres has no text with NUL, so nothing that it holds equals one. */
const storable = (text: string): boolean => !text.includes('\0');

function canMatch(filter: Filter): boolean {
  if (filter.kind === 'one-of') return filter.values.every(storable);
  if (filter.kind === 'property') return storable(filter.name) && storable(filter.value);
  return filter.kind === 'text' || filter.kind === 'tag' ? storable(filter.value) : true;
}
