import { createHash } from 'node:crypto';
import type { Pool, QueryArrayResult } from 'pg';
import { isVisibleTo } from '../../domain/image/visibility.ts';
import { type Images, MarkerInvisible, MarkerUnknown } from './images.ts';
import type { Filter, ListQuery } from './list-query.ts';
import { listStatement, type Source, type Statement, walkStatement } from './list-sql.ts';
import { isFull, weightOfPage } from './page.ts';
import type { ImageRecord } from './record.ts';
import { recordColumns, recordFrom, type Values } from './record-from.ts';

/** Most listings that a connection keeps a plan for: clients can make up more shapes than Postgres should remember. */
const mostNamed = 256;

/**
 * A page is read in parts, each behind the last image of the one before, so that large images do not all come at once:
 * the first tells whether the rest may come whole.
 */
const partWeight = 4 * 1024 * 1024;
const partRows = 25;

/** Runs a statement, named or not, and gives every value as Postgres writes it. */
export type Ask = (
  name: string | undefined,
  text: string,
  values: readonly unknown[],
) => Promise<readonly Values[]>;

/** What the pool makes of a type is none of our business here. */
const asText = { getTypeParser: () => (value: string) => value };

export const askOf =
  (pool: Pool): Ask =>
  async (name, text, values) => {
    const result: QueryArrayResult<(string | null)[]> = await pool.query({
      text,
      values: [...values],
      rowMode: 'array',
      types: asText,
      ...(name === undefined ? {} : { name }),
    });
    return result.rows;
  };

/** Names for statements that are worth a plan kept on every connection. */
export function planNames(prefix: string): (text: string) => string | undefined {
  const named = new Map<string, string>();
  return (text) => {
    const known = named.get(text);
    if (known !== undefined || named.size >= mostNamed) return known;
    const name = `${prefix}-${createHash('sha1').update(text).digest('base64url')}`;
    named.set(text, name);
    return name;
  };
}

/** Up to `query.limit` images behind `last`; undefined when the caller can see nothing of what was asked for. */
export type ReadPart = (
  query: ListQuery,
  last: ImageRecord | undefined,
) => Promise<readonly ImageRecord[] | undefined>;

/** Reads parts from one source, by statements with the names that `nameOf` gives them. */
export const partsOf =
  (
    ask: Ask,
    source?: Source,
    nameOf: (text: string) => string | undefined = () => undefined,
  ): ReadPart =>
  async (query, last) => {
    const rowsOf = ({ text, values, plannedOnce }: Statement) =>
      ask(plannedOnce ? nameOf(text) : undefined, text, values);
    if (source === undefined)
      for (const depth of depthsOf(query.limit)) {
        const walk = walkStatement(query, last, recordColumns, depth);
        if (walk === undefined) break;
        const found = (await rowsOf(walk)).map(recordFrom);
        if (found.length === query.limit) return found;
        const isFrequent = found.length >= depth * frequent;
        if (!isFrequent || weightOfPage(found) / found.length > mostWalkedWeight) break;
      }
    const statement = listStatement(query, last, recordColumns, source);
    return statement && (await rowsOf(statement)).map(recordFrom);
  };

/** How many of the first images are walked through in search of a page, before an index is asked for what all have. */
const depthsOf = (limit: number): readonly number[] => [Math.max(100, 5 * limit), 80 * limit];

/** Of one image: thousands of such are not looked into. */
const mostWalkedWeight = 32 * 1024;

/** What so many of the first images have, a longer walk finds enough of. */
const frequent = 0.02;

/** `Images.list`, of whatever `readPart` reads and `show` shows. */
export async function listed(
  query: ListQuery,
  { readPart, show }: { readonly readPart: ReadPart; readonly show: Images['show'] },
): Promise<readonly ImageRecord[]> {
  const marker = await markerOf(query, show);
  if (query.limit === 0 || !query.filters.every(canMatch)) return [];
  let page: readonly ImageRecord[] = [];
  let last = marker;
  while (!isFull(page, query.limit)) {
    const wanted = query.limit - page.length;
    const light = page.length > 0 && (weightOfPage(page) / page.length) * wanted <= partWeight;
    const limit = light ? wanted : Math.min(wanted, partRows);
    const part = await readPart({ ...query, limit }, last);
    if (part === undefined) break;
    // An image that changed meanwhile may have moved behind those of a part that it was in.
    const known = new Set(page.map(({ id }) => id));
    page = [...page, ...part.filter(({ id }) => !known.has(id))];
    last = part.at(-1);
    if (part.length < limit) break;
  }
  return page;
}

async function markerOf(
  { marker, viewer }: ListQuery,
  show: Images['show'],
): Promise<ImageRecord | undefined> {
  if (marker === undefined) return undefined;
  const image = await show(marker);
  if (image === undefined) throw new MarkerUnknown(marker);
  if (!isVisibleTo(image, viewer)) throw new MarkerInvisible(marker);
  return image;
}

/** Postgres has no text with NUL, so nothing that it holds equals one. */
export const storable = (text: string): boolean => !text.includes('\0');

function canMatch(filter: Filter): boolean {
  if (filter.kind === 'one-of') return filter.values.every(storable);
  if (filter.kind === 'property') return storable(filter.name) && storable(filter.value);
  return filter.kind === 'text' || filter.kind === 'tag' ? storable(filter.value) : true;
}
