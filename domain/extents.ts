import type { Extent } from './staging.ts';

/** `extents` with `added`, in order, those that touch made one. */
export function withExtent(extents: readonly Extent[], added: Extent): readonly Extent[] {
  if (added.end <= added.start) return extents;
  const first = firstWhere(extents, ({ end }) => end >= added.start);
  const behind = firstWhere(extents, ({ start }) => start > added.end);
  const touching = first < behind ? [extents[first], extents[behind - 1], added] : [added];
  const start = Math.min(...touching.map((one) => one?.start ?? added.start));
  const end = Math.max(...touching.map((one) => one?.end ?? added.end));
  return extents.toSpliced(first, behind - first, { start, end });
}

/** Index of the first that is so, as all behind it are; the length where none is. */
function firstWhere(extents: readonly Extent[], isSo: (extent: Extent) => boolean): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const extent = extents[middle];
    if (extent !== undefined && isSo(extent)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What of the first `size` bytes is in none of `extents`. */
export function gaps(extents: readonly Extent[], size: number): readonly Extent[] {
  const edges = [...extents.filter(({ start }) => start < size), { start: size, end: size }];
  return edges.flatMap(({ start: end }, index) => {
    const start = edges[index - 1]?.end ?? 0;
    return end > start ? [{ start, end }] : [];
  });
}

/** How many bytes from the first one on are there without a gap. */
export const contiguous = ([first]: readonly Extent[]): number =>
  first?.start === 0 ? first.end : 0;

export const bytesIn = (extents: readonly Extent[]): number =>
  extents.reduce((sum, { start, end }) => sum + end - start, 0);
