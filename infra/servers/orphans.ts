import { readdir, readlink, realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Ends servers that a killed parent left running in a directory. They work in it; that, and a program whose name begins
 * as theirs does, proves what they are.
 */
export async function stopServersIn(directory: string, kind: string): Promise<void> {
  for (const { signal, waitMs } of [
    { signal: 'SIGTERM', waitMs: 5_000 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ] as const) {
    for (const pid of await serversIn(directory, kind)) send(pid, signal);
    const end = Date.now() + waitMs;
    while (Date.now() < end) {
      if ((await serversIn(directory, kind)).length === 0) return;
      await delay(20);
    }
  }
  throw new Error(`a ${kind} server still runs in ${directory} and cannot be stopped`);
}

async function serversIn(directory: string, kind: string): Promise<number[]> {
  const real = await realpath(directory);
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const link = (pid: number, name: string): Promise<string> =>
    readlink(`/proc/${pid}/${name}`).catch(() => '');
  const found = await Promise.all(
    pids.map(async (pid) => {
      if ((await link(pid, 'cwd')) !== real) return false;
      const program = basename(await link(pid, 'exe'));
      return program.startsWith(kind) || program === 'setpriv'; // which is about to become it
    }),
  );
  return pids.filter((_, index) => found[index]);
}

/** A paused one has to wake to hear of its end. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
