import { isFull } from '../../../projections/images/page.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import { type Parameters, queryStringOf } from './query-string.ts';

/**
 * JSON text of a page of images with its links (reference, section 6.3). `next` is there when the page is full; the links
 * keep every value of a repeated parameter. `images` are the texts of what of the page the policy lets through.
 */
export function pageText(
  { page, images }: { page: readonly ImageRecord[]; images: readonly string[] },
  parameters: Parameters,
  limit: number,
  path = '/v2/images',
): string {
  const unmarked = parameters.filter(([name]) => name !== 'marker');
  const last = isFull(page, limit) ? page.at(-1) : undefined;
  const links = JSON.stringify({
    first: link(path, unmarked),
    ...(last === undefined ? {} : { next: link(path, [...unmarked, ['marker', last.id]]) }),
    schema: '/v2/schemas/images',
  });
  return `{"images":[${images.join(',')}],${links.slice(1)}`;
}

const link = (path: string, parameters: Parameters): string =>
  parameters.length === 0 ? path : `${path}?${queryStringOf(parameters)}`;
