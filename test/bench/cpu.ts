import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** Of Linux wherever Node runs. */
const ticksPerSecond = 100;

/** What processes and all their descendants have used so far. */
export const cpuMsOf = (roots: readonly number[]): number => sumOfTicks(familyOf(roots));

/** What they have now: proportional set sizes, what several share counts once. Takes longer to find out. */
export const memoryMiBOf = (roots: readonly number[]): number => sumOfMemory(familyOf(roots));

type Family = ReadonlyMap<number, { readonly parent: number; readonly ticks: number }>;

function familyOf(roots: readonly number[]): Family {
  const all = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = contentOf(`/proc/${name}/stat`);
    // Behind the name, which may hold anything: state, parent, …; own and waited-for children's times are 11 to 14.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    if (stat !== '') all.set(Number(name), { parent: Number(fields[1]), ticks });
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (roots.includes(at)) return true;
    return false;
  };
  return new Map([...all].filter(([pid]) => isOurs(pid)));
}

const sumOfTicks = (all: Family): number =>
  [...all.values()].reduce((sum, { ticks }) => sum + (ticks * 1000) / ticksPerSecond, 0);

const sumOfMemory = (all: Family): number =>
  [...all.keys()].reduce((sum, pid) => sum + memoryOf(pid), 0);

const memoryOf = (pid: number): number =>
  Number(/^Pss:\s+(\d+) kB$/m.exec(contentOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

/** Share of all cores of the machine that was busy since `before`, which is another answer. */
export function busySince(before?: Busy): Busy & { readonly share: number } {
  const times = os.cpus().map(({ times }) => times);
  const idleMs = times.reduce((sum, { idle }) => sum + idle, 0);
  const allMs = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0);
  const [idle, all] = [idleMs - (before?.idleMs ?? 0), allMs - (before?.allMs ?? 0)];
  return { idleMs, allMs, share: 1 - idle / all };
}

interface Busy {
  readonly idleMs: number;
  readonly allMs: number;
}
