import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A process that was killed is gone a moment later, and its successor may be quicker. */
const dyingMs = 1_000;

/**
 * Makes this process the only one that starts Postgres in a data directory, for as long as it lives. Rejects while
 * another owner lives.
 *
 *     {file}.{n} -> "pid boot start"     the owner is whom the highest number names, as no later process can be named
 *     {file}.{n} -> "released"           there is none
 *
 * Owner n + 1 follows once owner n is dead or has let go. A link is made whole or not at all and never over another, so
 * one of many rivals gets the number; the highest is never taken away, so who was slow sees a higher one and steps back.
 */
export async function takeOwnership(file: string): Promise<() => Promise<void>> {
  const mine = await identity(process.pid);
  if (mine === undefined) throw new Error('cannot tell when this process started');
  const patience = Date.now() + dyingMs;
  for (;;) {
    const last = (await numbers(file)).at(-1) ?? 0;
    const theirs = await ownerIn(file, last);
    if (theirs === mine) break;
    const pid = Number(theirs?.split(' ', 1)[0]);
    if (pid > 0 && (await identity(pid)) === theirs) {
      if (Date.now() > patience)
        throw new Error(
          `another Daguerre (process ${pid}) runs on this data directory: stop it, or choose another data-dir`,
        );
      await delay(20);
      continue;
    }
    if (!(await linked(mine, named(file, last + 1)))) continue;
    if ((await numbers(file)).at(-1) === last + 1) break;
    await rm(named(file, last + 1), { force: true });
  }
  await removeAllButLast(file);
  return async () => {
    const last = (await numbers(file)).at(-1) ?? 0;
    if ((await ownerIn(file, last)) !== mine) return;
    await linked('released', named(file, last + 1));
    await removeAllButLast(file);
  };
}

/** Number 0 is what earlier releases wrote: a file that names the owner. */
const named = (file: string, number: number): string => (number === 0 ? file : `${file}.${number}`);

/** In ascending order. */
async function numbers(file: string): Promise<readonly number[]> {
  const prefix = `${path.basename(file)}.`;
  return (await readdir(path.dirname(file)))
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter((rest) => /^[1-9][0-9]*$/.test(rest))
    .map(Number)
    .sort((a, b) => a - b);
}

async function ownerIn(file: string, number: number): Promise<string | undefined> {
  const at = named(file, number);
  return unlessGone(number === 0 ? readFile(at, 'utf8') : readlink(at));
}

/** What others found there is of no more use: they find a higher number first. */
async function removeAllButLast(file: string): Promise<void> {
  const before = (await numbers(file)).slice(0, -1);
  for (const number of [0, ...before]) await rm(named(file, number), { force: true });
}

async function linked(target: string, at: string): Promise<boolean> {
  try {
    await symlink(target, at);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Process number and moment of start: numbers are given again, the pair is not. */
async function identity(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const status = await unlessGone(readFile(`/proc/${pid}/stat`, 'utf8'));
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

/** Only what is surely gone counts as gone: a process that is out of descriptors must not take the living for dead. */
async function unlessGone(read: Promise<string>): Promise<string | undefined> {
  try {
    return await read;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
