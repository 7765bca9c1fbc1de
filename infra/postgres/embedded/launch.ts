import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from '../log.ts';
import { commandLine, postgresEnvironment, type RunAs } from './run-as.ts';
import { database, socketUrl } from './socket.ts';

const maxLogBytes = 16 * 1024 * 1024;

/** Given on the command line, not in the cluster's file: they belong to the program, and change with it. */
const settings = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '200',
  shared_buffers: '64MB',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  jit: 'off',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  timezone: 'UTC',
};

export interface Launching {
  readonly postgres: string;
  readonly cluster: string;
  readonly sockets: string;
  readonly run: RunAs;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Starts a postmaster, and resolves when it answers and has Daguerre's database. A failed one has ended. */
export async function launch(
  launching: Launching,
): Promise<{ child: ChildProcess; exited: Promise<Ending> }> {
  const logFile = path.join(path.dirname(launching.cluster), 'postgres.log');
  const child = await spawned(launching, logFile);
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  try {
    await ready(child, logFile, launching);
    return { child, exited };
  } catch (error) {
    await end(child, exited);
    throw error;
  }
}

async function spawned(
  { postgres, cluster, sockets, run }: Launching,
  logFile: string,
): Promise<ChildProcess> {
  if ((await stat(logFile).catch(() => ({ size: 0 }))).size > maxLogBytes)
    await rename(logFile, `${logFile}.1`);
  // To a file and not through us: a Postgres whose parent is busy or dead must not wait for somebody to read.
  const output = await open(logFile, 'a', 0o600);
  try {
    const all = { ...settings, unix_socket_directories: `"${sockets.replaceAll('"', '""')}"` };
    const [program, parameters] = commandLine(run, postgres, [
      '-D',
      cluster,
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
    const child = spawn(program, parameters, {
      ...run.options,
      cwd: cluster,
      env: postgresEnvironment,
      // A Ctrl-C on the terminal is for the parent, which stops Postgres last.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await once(child, 'spawn');
    return child;
  } finally {
    await output.close();
  }
}

/** Recovery after a crash may take long: we wait as long as Postgres lives. */
async function ready(
  child: ChildProcess,
  logFile: string,
  { sockets, log, signal }: Launching,
): Promise<void> {
  const began = Date.now();
  for (let warnAt = 10_000; ; ) {
    signal?.throwIfAborted();
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`Postgres ended while starting:\n${await lastLines(logFile)}`);
    if (await databaseReady(sockets)) return;
    if (Date.now() - began > warnAt) {
      log.warn({ seconds: warnAt / 1000, logFile }, 'Postgres is still starting');
      warnAt *= 2;
    }
    await delay(15);
  }
}

async function databaseReady(sockets: string): Promise<boolean> {
  try {
    await answers(socketUrl(sockets, database), 'select 1');
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '3D000') return false;
    await answers(socketUrl(sockets, 'postgres'), `create database ${database}`);
    return true;
  }
}

async function answers(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function lastLines(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-8).join('\n');
}

/** Fast shutdown first, then harder. */
export async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const late = new AbortController();
    const timeout = delay(10_000, 'late', { signal: late.signal }).catch(() => 'ended');
    const first = await Promise.race([exited, timeout]);
    late.abort();
    if (first !== 'late') return;
  }
}
