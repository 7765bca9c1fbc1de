import { bytesIn } from '../../domain/extents.ts';
import type { PartialObject } from '../../domain/staging.ts';
import { type Setback, SourceLied } from './failures.ts';
import type { Patience } from './patience.ts';

/** Tells getting on from going round in circles. */
export interface Progress {
  /** More is written than at the last call, perhaps; whether there is more than there ever was. */
  count(): boolean;
  /** An answer ended at `at`, before the `end` that it said. Gives what that means. */
  endedEarly(setback: Setback, at: number, end: number | null): Setback | SourceLied;
  /** The file is another: what was there of the old one counts no more. */
  restart(): void;
}

/** So often an answer may end early at the same byte before that is taken for the file's end. */
const mostSameEnds = 6;

/** `leastBytes` are what patience is renewed for. */
export function progressOf(
  into: PartialObject,
  host: string,
  patience: Patience,
  leastBytes: number,
): Progress {
  let most = bytesIn(into.state().written);
  let uncounted = 0;
  let sameEnds = { at: -1, most: -1, times: 0 };
  return {
    count() {
      const there = bytesIn(into.state().written);
      if (there <= most) return false;
      uncounted += there - most;
      most = there;
      if (uncounted >= leastBytes) {
        uncounted = 0;
        patience.progressed();
      }
      return true;
    },
    endedEarly(setback, at, end) {
      const isSame = sameEnds.at === at && sameEnds.most === most;
      sameEnds = { at, most, times: isSame ? sameEnds.times + 1 : 1 };
      if (sameEnds.times < mostSameEnds || end === null) return setback;
      return new SourceLied(
        `${host} says that there are ${end} bytes, but gives no more than ${at}: have the file there repaired`,
        setback,
      );
    },
    restart() {
      most = 0;
    },
  };
}
