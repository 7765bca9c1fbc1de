import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { until } from './until.ts';

/** Whether a process runs: one that ended and was not yet waited for does not. */
export function runs(pid: number): boolean {
  const status = contentOf(`/proc/${pid}/stat`);
  if (status === '') return false;
  return status.slice(status.lastIndexOf(')') + 2, status.lastIndexOf(')') + 3) !== 'Z';
}

export async function gone(pids: readonly number[]): Promise<void> {
  await until(`processes ${pids.join(', ')} to end`, () => !pids.some(runs));
}

/** `kill -9`, and no word about one that is gone already. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Every process, but for this one, that works in a directory or names it in its command line or environment. */
export function processesOf(directory: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && runs(pid))
    .map((pid) => ({ pid, command: contentOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }))
    .filter(
      ({ pid, command }) =>
        command.includes(directory) ||
        contentOf(`/proc/${pid}/environ`).includes(directory) ||
        workingDirectory(pid).startsWith(directory),
    );
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile, or is another user's
  }
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
