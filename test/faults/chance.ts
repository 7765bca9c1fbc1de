import { createHash } from 'node:crypto';

/** Seeded decisions. Equal seeds decide alike; `fork` gives each actor its own sequence, whatever the others do. */
export interface Chance {
  /** 0 … `below` - 1. */
  int(below: number): number;
  /** True in `percent` of 100. */
  percent(percent: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Each weight in proportion to all. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T;
  shuffled<T>(from: readonly T[]): T[];
  /** A UUID. */
  uuid(): string;
  fork(label: string): Chance;
}

export function chanceOf(seed: string | number): Chance {
  const next = mulberry32(createHash('sha256').update(String(seed)).digest().readUInt32LE());
  const int = (below: number): number => Math.floor(next() * below);
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[int(from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  };
  return {
    int,
    percent: (percent) => next() * 100 < percent,
    pick,
    weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
      const entries = Object.entries(weights) as [T, number][];
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      return pick(entries)[0];
    },
    shuffled: (from) =>
      from
        .map((one) => [next(), one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one),
    uuid() {
      const hex = Array.from({ length: 4 }, () =>
        int(2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      ).join('');
      const variant = `${'89ab'[int(4)]}${hex.slice(17, 20)}`;
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}-${hex.slice(20)}`;
    },
    fork: (label) => chanceOf(`${seed}/${label}`),
  };
}

/** A small generator of the interval from 0 to 1, good enough to choose by. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
