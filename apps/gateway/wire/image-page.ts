import type { JsonObject } from '../../../domain/json.ts';
import { isFull } from '../../../projections/images/page.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import { imageDocument, type Reading } from './image.ts';
import { type Parameters, queryStringOf } from './query-string.ts';

/**
 * A page of images with its links (reference, section 6.3). `next` is there when the page is full; the links keep every
 * value of a repeated parameter. `shown` is what of the page the policy lets through.
 */
export function pageDocument(
  { page, shown }: { page: readonly ImageRecord[]; shown: readonly ImageRecord[] },
  parameters: Parameters,
  limit: number,
  reading: Reading,
  path = '/v2/images',
): JsonObject {
  const unmarked = parameters.filter(([name]) => name !== 'marker');
  const last = isFull(page, limit) ? page.at(-1) : undefined;
  return {
    images: shown.map((record) => imageDocument(record, reading)),
    first: link(path, unmarked),
    ...(last === undefined ? {} : { next: link(path, [...unmarked, ['marker', last.id]]) }),
    schema: '/v2/schemas/images',
  };
}

const link = (path: string, parameters: Parameters): string =>
  parameters.length === 0 ? path : `${path}?${queryStringOf(parameters)}`;
