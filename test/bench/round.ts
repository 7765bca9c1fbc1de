import { cpuMsOf, memoryMiBOf } from './cpu.ts';
import { atLeast, percentiles, type Rate } from './load.ts';
import { atRest } from './rest.ts';

export interface PhaseFigures extends Rate {
  /** Of the server, for each request, what it does idly in that time too; undefined where its processes are not known. */
  readonly cpuMs?: number;
}

export interface RoundFigures {
  readonly phases: ReadonlyMap<string, PhaseFigures>;
  /** The most that all processes of the server had at a time; undefined where they are not known. */
  readonly memoryMiB?: number;
}

export interface Phase {
  readonly name: string;
  readonly concurrency: number;
  /** At least so many requests. */
  readonly count: number;
  /** At least so many before, which do not count; default 1. */
  readonly warm?: number;
  /** What it leaves to be done later, without anybody waiting for it, counts too, and is not left to the next phase. */
  readonly writes?: true;
  /** `turn` is 0, 1, 2 … and not begun anew after the warm-up. */
  one(turn: number): Promise<unknown>;
}

/** Whether a phase of this name is to be measured. */
export const isWanted = (only: readonly string[], name: string): boolean =>
  only.length === 0 || only.some((start) => name.startsWith(start));

/** The server's `pids`, measured phase by phase: each takes `ms` at least, after a third of it that does not count. */
export function newRound(
  pids: readonly number[],
  { ms, only }: { readonly ms: number; readonly only: readonly string[] },
) {
  const phases = new Map<string, PhaseFigures>();
  let memoryMiB = 0;
  /** Takes some milliseconds of this machine. */
  const weigh = (): void => {
    memoryMiB = Math.max(memoryMiB, memoryMiBOf(pids));
  };
  return {
    weigh,
    async measure({ name, concurrency, count, warm = 1, writes, one }: Phase): Promise<void> {
      if (!isWanted(only, name)) return;
      let turn = 0;
      const next = () => one(turn++);
      await atLeast(concurrency, { count: warm, ms: ms / 3 }, next);
      if (writes) await atRest(pids, ms / 3);
      const before = cpuMsOf(pids);
      const { done, ...rate } = await atLeast(concurrency, { count, ms }, next);
      if (writes) await atRest(pids, ms / 3);
      const cpuMs = (cpuMsOf(pids) - before) / done;
      phases.set(name, pids.length === 0 ? rate : { ...rate, cpuMs });
      weigh();
    },
    figures: (): RoundFigures => (pids.length === 0 ? { phases } : { phases, memoryMiB }),
  };
}

/** Figure by figure the median of several rounds. */
export function medians(rounds: readonly RoundFigures[]): RoundFigures {
  const middle = (values: readonly number[]): number => percentiles(values).p50Ms;
  const names = [...new Set(rounds.flatMap(({ phases }) => [...phases.keys()]))];
  const phases = new Map(
    names.map((name) => {
      const all = rounds.flatMap((round) => round.phases.get(name) ?? []);
      const of = (figure: keyof PhaseFigures) =>
        middle(all.map((one) => one[figure] ?? Number.NaN));
      const figures: PhaseFigures = {
        ...{ perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') },
        ...(all.every(({ cpuMs }) => cpuMs === undefined) ? {} : { cpuMs: of('cpuMs') }),
      };
      return [name, figures] as const;
    }),
  );
  const weights = rounds.flatMap(({ memoryMiB }) => memoryMiB ?? []);
  return weights.length === 0 ? { phases } : { phases, memoryMiB: middle(weights) };
}
