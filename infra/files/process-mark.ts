import { readFile, readlink } from 'node:fs/promises';
import { unlessMissing } from './files.ts';

/** Names one process for ever: what it runs on, and what the kernel says of it there. */
export interface ProcessMark {
  readonly boot: string;
  /** Where process ids mean the same. */
  readonly space: string;
  readonly pid: number;
  /** Clock ticks since the boot. */
  readonly started: string;
}

/** This process's mark; null where the system does not tell enough. */
export async function ownMark(): Promise<ProcessMark | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const space = await readlink('/proc/self/ns/pid');
    const started = await startOf(process.pid);
    return started === null ? null : { boot, space, pid: process.pid, started };
  } catch {
    return null;
  }
}

/** Whether that process surely runs no more. One of another machine may. */
export async function isGone(mark: ProcessMark): Promise<boolean> {
  const own = await ownMark();
  if (own === null || own.boot !== mark.boot || own.space !== mark.space) return false;
  return (await startOf(mark.pid)) !== mark.started;
}

/** Null where there is no such process, or none that can still do anything. */
async function startOf(pid: number): Promise<string | null> {
  const status = await unlessMissing(readFile(`/proc/${pid}/stat`, 'utf8'));
  if (status === undefined) return null;
  // The command, in brackets, may hold anything; after it come the state (3rd field) and the rest.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}
