/**
 * One thing that is known of an image: a value, or, after a request that got no answer, either of two. What is
 * uncertain is left alone until somebody has looked: a late effect must not be taken for a lost one.
 */
export interface Facet<T> {
  readonly possible: readonly T[];
  readonly certain: boolean;
  /** A success was answered. */
  became(value: T): void;
  /** No answer came. */
  mayHaveBecome(value: T): void;
  /** Somebody looked. False when this cannot be. */
  wasSeen(value: T): boolean;
}

export function facet<T>(value: T): Facet<T> {
  let possible: readonly T[] = [value];
  return {
    get possible() {
      return possible;
    },
    get certain() {
      return possible.length === 1;
    },
    became(next) {
      possible = [next];
    },
    mayHaveBecome(next) {
      possible = [...new Set([...possible, next])];
    },
    wasSeen(seen) {
      const known = possible.includes(seen);
      possible = [seen];
      return known;
    },
  };
}
