import { memoryMiBOf } from './cpu.ts';
import type { Site } from './site.ts';

/** Of one part of a site, or of all, MiB. */
export interface Growth {
  readonly part: string;
  /** Means over the first and the last fifth of what was done. */
  readonly first: number;
  readonly last: number;
  readonly most: number;
}

const everyMs = 500;
const share = 0.2;

/** Weighs every part of a site while something is done to it; `done` is how much of it is, from 0 to 1. */
export async function growthWhile(
  { daguerre }: Pick<Site, 'daguerre'>,
  done: () => number,
  task: () => Promise<unknown>,
): Promise<readonly Growth[]> {
  const samples: { readonly at: number; readonly parts: Readonly<Record<string, number>> }[] = [];
  const weigh = (): void => {
    const parts: Record<string, number> = {};
    for (const [name, pid] of Object.entries(daguerre.parts()))
      if (pid !== undefined) parts[name] = memoryMiBOf([pid]);
    // The parts descend from it.
    parts.all = memoryMiBOf([daguerre.pid]);
    samples.push({ at: done(), parts });
  };
  weigh();
  const weighing = setInterval(weigh, everyMs);
  try {
    await task();
  } finally {
    clearInterval(weighing);
  }
  weigh();
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return Object.keys(samples[0]?.parts ?? {}).map((part) => {
    const of = (wanted: (at: number) => boolean) =>
      samples.filter(({ at }) => wanted(at)).map(({ parts }) => parts[part] ?? 0);
    return {
      part,
      first: mean(of((at) => at <= share)),
      last: mean(of((at) => at >= 1 - share)),
      most: Math.max(...of(() => true)),
    };
  });
}
