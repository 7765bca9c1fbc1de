import { stringify } from 'csv-stringify/sync';
import type { BulkImports } from '../../../projections/bulk/imports.ts';
import { type ItemDocument, itemDocument } from './documents.ts';

const pageLimit = 1_000;

/** Every item, in order, in pages: there may be many. */
export async function* allItems(
  imports: Pick<BulkImports, 'items'>,
  importId: string,
): AsyncGenerator<readonly ItemDocument[]> {
  for (let after = -1; ; ) {
    const page = await imports.items(importId, { statuses: undefined, after, limit: pageLimit });
    if (page.length > 0) yield page.map((item) => itemDocument(item));
    if (page.length < pageLimit) return;
    after = page.at(-1)?.item ?? after;
  }
}

const columns = [
  'item',
  'name',
  'status',
  'reason',
  'message',
  'image',
  'source',
  'bytes',
  'attempt',
  'started_at',
  'ended_at',
] as const satisfies readonly (keyof ItemDocument)[];

/** The report as CSV. What a spreadsheet would take for a formula is marked as text. */
export async function* csvReport(pages: AsyncIterable<readonly ItemDocument[]>) {
  yield stringify([[...columns]]);
  for await (const page of pages)
    yield stringify([...page], { columns: [...columns], escape_formulas: true });
}

/** The report as JSON: the import, and all of its items. */
export async function* jsonReport(
  document: object,
  pages: AsyncIterable<readonly ItemDocument[]>,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ import: document }).slice(0, -1)},"items":[`;
  let isFirst = true;
  for await (const page of pages) {
    const texts = page.map((item) => JSON.stringify(item)).join(',\n');
    yield isFirst ? texts : `,\n${texts}`;
    isFirst = false;
  }
  yield ']}\n';
}
