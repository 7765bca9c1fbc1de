import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A process that was killed is gone a moment later, and its successor may be quicker. */
const dyingMs = 1_000;

/**
 * Makes this process the only one that starts Postgres in a data directory, for as long as it lives: the file names
 * it in a way that no later process can repeat. Rejects while another owner lives.
 */
export async function takeOwnership(file: string): Promise<() => Promise<void>> {
  const mine = await identity(process.pid);
  if (mine === undefined) throw new Error('cannot tell when this process started');
  const patience = Date.now() + dyingMs;
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, mine);
  try {
    while (!(await linked(draft, file))) {
      const theirs = await readFile(file, 'utf8').catch(() => '');
      if (theirs === mine) break;
      const pid = Number(theirs.split(' ', 1)[0]);
      if (pid > 0 && (await identity(pid)) === theirs) {
        if (Date.now() > patience)
          throw new Error(
            `another Daguerre (process ${pid}) runs on this data directory: stop it, or choose another data-dir`,
          );
        await delay(20);
        continue;
      }
      // Moved away, not removed: of two that find a dead owner, one moves it and the other tries again.
      await rename(file, `${draft}.dead`).catch(() => undefined);
    }
  } finally {
    await rm(draft, { force: true });
    await rm(`${draft}.dead`, { force: true });
  }
  return async () => {
    if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true });
  };
}

async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Process number and moment of start: numbers are given again, the pair is not. */
async function identity(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (status === undefined) return undefined;
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    // After the name, which may hold anything up to its last bracket: state is field 3, the start is field 22.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${boot} ${fields[19]}`;
  }
  const listed = promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
  return listed.then(
    ({ stdout }) => `${pid} ${stdout.trim()}`,
    () => undefined,
  );
}
