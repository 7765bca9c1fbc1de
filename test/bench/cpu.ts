import { readdirSync, readFileSync } from 'node:fs';

/** Of Linux wherever Node runs. */
const ticksPerSecond = 100;

/** What processes and all their descendants have used so far. */
export interface Usage {
  readonly cpuMs: number;
  /** Proportional set sizes: what several share counts once. */
  readonly memoryMiB: number;
}

export function usageOf(roots: readonly number[]): Usage {
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
  const ours = [...all].filter(([pid]) => isOurs(pid));
  return {
    cpuMs: ours.reduce((sum, [, { ticks }]) => sum + (ticks * 1000) / ticksPerSecond, 0),
    memoryMiB: ours.reduce((sum, [pid]) => sum + memoryOf(pid), 0),
  };
}

const memoryOf = (pid: number): number =>
  Number(/^Pss:\s+(\d+) kB$/m.exec(contentOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}
