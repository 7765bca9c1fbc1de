import type { Extent } from './staging.ts';

/** `extents` with `added`, in order, those that touch made one. */
export function withExtent(extents: readonly Extent[], added: Extent): readonly Extent[] {
  if (added.end <= added.start) return extents;
  const before = extents.filter(({ end }) => end < added.start);
  const after = extents.filter(({ start }) => start > added.end);
  const touching = extents.slice(before.length, extents.length - after.length);
  const start = Math.min(added.start, ...touching.map((one) => one.start));
  const end = Math.max(added.end, ...touching.map((one) => one.end));
  return [...before, { start, end }, ...after];
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
