import { withExtent } from '../extents.ts';
import type { Extent } from '../staging.ts';

/** What was sent of an image to one reader. */
export interface Reading {
  readonly reads: number;
  /** Those sent twice counted twice. */
  readonly bytes: number;
  /** In order, and apart. */
  readonly extents: readonly Extent[];
  /** Whether every byte of the extents was sent. */
  readonly exact: boolean;
}

export const nothingRead: Reading = { reads: 0, bytes: 0, extents: [], exact: true };

/** Most that are remembered of one reader: enough for any order in which 10,000 parts may come. */
export const mostHeld = 4_096;
/** Most that one event tells. */
export const mostTold = 1_000;

/** One more request, of which these bytes were sent. */
export function withRead(reading: Reading, sent: Extent, most = mostHeld): Reading {
  const after = {
    reads: reading.reads + 1,
    bytes: reading.bytes + (sent.end - sent.start),
    extents: withExtent(reading.extents, sent),
    exact: reading.exact,
  };
  // To half of it, so that the next requests cost nothing again.
  return after.extents.length > most ? outlined(after, most / 2) : after;
}

/** The same in at most so many extents: the narrowest gaps are taken for sent, so that nothing sent is left out. */
export function outlined(reading: Reading, most: number): Reading {
  const { extents } = reading;
  if (extents.length <= most) return reading;
  const gaps = extents.slice(1).map(({ start }, index) => ({
    behind: index,
    width: start - (extents[index]?.end ?? start),
  }));
  const widest = gaps
    .sort((one, other) => other.width - one.width || one.behind - other.behind)
    .slice(0, Math.max(0, Math.floor(most) - 1))
    .map(({ behind }) => behind)
    .sort((one, other) => one - other);
  const ends = [...widest, extents.length - 1];
  return {
    ...reading,
    exact: false,
    extents: ends.map((last, index) => ({
      start: extents[(ends[index - 1] ?? -1) + 1]?.start ?? 0,
      end: extents[last]?.end ?? 0,
    })),
  };
}

/** Whether a whole image of this size was sent. */
export function isWhole({ reads, extents, exact }: Reading, size: number): boolean {
  const [first] = extents;
  if (size === 0) return reads > 0;
  return exact && first !== undefined && first.start === 0 && first.end >= size;
}
