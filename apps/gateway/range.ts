import { HttpError } from './http-error.ts';

/** Bytes from `start` up to, but without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part that a `Range` header asks for (reference, section 8.3): 400 for several, 416 for what cannot be given. The
 * last 0 bytes are the whole, as in the original, which takes -0 for a start of 0.
 */
export function rangeOf(header: string, size: number): ByteRange {
  if (header.includes(','))
    throw new HttpError(400, 'Requests with multiple ranges are not supported.');
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)$/i.exec(header.trim()) ?? [];
  if (first === '' && last === '') throw unsatisfiable(size);
  const start = first === '' ? Math.max(0, size - (Number(last) || size)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= end) throw unsatisfiable(size);
  return { start, end };
}

/** The same from a `Content-Range` request header, `bytes a-b/*`, as old clients send it. */
export function contentRangeOf(header: string, size: number): ByteRange {
  const [, range] = /^bytes (\d+-\d+)\/(?:\d+|\*)$/.exec(header.trim()) ?? [];
  if (range === undefined) throw unsatisfiable(size);
  return rangeOf(`bytes=${range}`, size);
}

const unsatisfiable = (size: number) =>
  new HttpError(416, `The requested range cannot be given of ${size} bytes.`, {
    headers: { 'Content-Range': `bytes */${size}` },
  });
