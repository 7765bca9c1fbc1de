import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** What a running (or killed) Postgres says of itself in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly socketDirectory: string;
  readonly ready: boolean;
}

export async function postmaster(cluster: string): Promise<Postmaster | undefined> {
  const file = path.join(cluster, 'postmaster.pid');
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const pid = Number(lines[0]);
  if (!(pid > 0)) return undefined;
  return { pid, socketDirectory: lines[4] ?? '', ready: lines[7]?.trim() === 'ready' };
}

/**
 * Stops what a killed parent left running on the cluster, the postmaster or, where that was killed too, its children:
 * as a fast shutdown first, then harder. Removes lock files that name nobody any more. Only for the cluster's owner.
 */
export async function stopOrphans(cluster: string): Promise<readonly number[]> {
  const stopped = new Set<number>();
  for (const { signal, waitMs } of [
    { signal: 'SIGINT', waitMs: 10_000 },
    { signal: 'SIGQUIT', waitMs: 5_000 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ] as const) {
    const leader = (await postmaster(cluster))?.pid;
    const running = await processesOn(cluster);
    for (const pid of running) stopped.add(pid);
    // A living postmaster stops its children itself, and a signal to them besides would look like a crash.
    const targets =
      leader !== undefined && running.includes(leader) && signal !== 'SIGKILL' ? [leader] : running;
    for (const pid of targets) send(pid, signal);
    if (await goneWithin(cluster, waitMs)) break;
  }
  const left = await processesOn(cluster);
  if (left.length > 0)
    throw new Error(`processes ${left.join(', ')} still run on ${cluster} and cannot be stopped`);
  await removeLocks(cluster);
  return [...stopped];
}

async function goneWithin(cluster: string, waitMs: number): Promise<boolean> {
  for (const end = Date.now() + waitMs; Date.now() < end; await delay(20))
    if ((await processesOn(cluster)).length === 0) return true;
  return false;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** A number in a stale lock file may belong to a stranger by now, and Postgres would then refuse to start. */
async function removeLocks(cluster: string): Promise<void> {
  const stale = await postmaster(cluster);
  if (stale === undefined) return;
  if (stale.socketDirectory !== '')
    await rm(path.join(stale.socketDirectory, '.s.PGSQL.5432.lock'), { force: true });
  await rm(path.join(cluster, 'postmaster.pid'), { force: true });
}

/** Every Postgres process works in its cluster's directory; that, not a number in a file, proves what it is. */
export async function processesOn(cluster: string): Promise<number[]> {
  const directory = await realpath(cluster).catch(() => undefined);
  if (directory === undefined) return [];
  if (process.platform !== 'linux') return postmasterByCommand(cluster);
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const matches = await Promise.all(pids.map((pid) => isPostgresIn(pid, directory)));
  return pids.filter((_, index) => matches[index]);
}

async function isPostgresIn(pid: number, directory: string): Promise<boolean> {
  const [works, runs] = await Promise.all(
    ['cwd', 'exe'].map((what) => readlink(`/proc/${pid}/${what}`).catch(() => '')),
  );
  // `unshare` is about to become Postgres. Of a program that an upgrade replaced, Linux says "postgres (deleted)".
  return works === directory && /\/(postgres|unshare)( \(deleted\))?$/.test(runs ?? '');
}

async function postmasterByCommand(cluster: string): Promise<number[]> {
  const pid = (await postmaster(cluster))?.pid;
  if (pid === undefined) return [];
  const listed = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(
    () => ({ stdout: '' }),
  );
  return listed.stdout.includes('postgres') && listed.stdout.includes(cluster) ? [pid] : [];
}
