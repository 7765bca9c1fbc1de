import { contiguous, gaps, withExtent } from '../../domain/extents.ts';
import type { Extent } from '../../domain/staging.ts';
import type { Asked } from './answer.ts';

/** How a file is cut into what is asked for at once. */
export interface Cut {
  /** How many parts are fetched side by side. */
  readonly lanes: number;
  /** No part is smaller, but for what is left. */
  readonly segmentBytes: number;
}

const mostSegments = 8;

/**
 * What to ask for next of a file of `size` bytes, null where that is not known: the first of what is neither there nor
 * asked for already. The first part is small, so that only a large file comes in parts at all.
 */
export function nextPart(
  written: readonly Extent[],
  asked: readonly Asked[],
  size: number | null,
  { lanes, segmentBytes }: Cut,
): Asked | undefined {
  if (size === null) {
    if (asked.length > 0) return undefined;
    const start = contiguous(written);
    return { start, end: lanes === 1 ? null : start + segmentBytes };
  }
  const free = gaps(
    asked.map((one) => ({ ...one, end: one.end ?? size })).reduce(withExtent, written),
    size,
  );
  const [first] = free;
  if (first === undefined || lanes === 1) return first;
  const left = free.reduce((sum, { start, end }) => sum + end - start, 0);
  const share = Math.ceil(left / lanes / 4);
  const length = Math.min(Math.max(share, segmentBytes), mostSegments * segmentBytes);
  return { start: first.start, end: Math.min(first.end, first.start + length) };
}
