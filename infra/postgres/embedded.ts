import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { embeddedBinaries } from './embedded/binaries.ts';
import { ensureCluster } from './embedded/cluster.ts';
import { postmaster, processesOn, stopOrphans } from './embedded/orphans.ts';
import { takeOwnership } from './embedded/owner.ts';
import { commandLine, postgresEnvironment, type RunAs, runAs } from './embedded/run-as.ts';
import { socketDirectory, socketUrl } from './embedded/socket.ts';
import type { Log } from './log.ts';

export interface EmbeddedPostgres {
  /** Of the database `daguerre`; the same at every start in this data directory. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the postmaster has ended, for whatever reason; starting it again is the caller's part. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Fast shutdown: open transactions are rolled back. Harder when that takes longer than 10 s. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Daguerre's data directory; the cluster is `postgres` in it. */
  readonly dataDir: string;
  readonly log: Log;
  /** Gives up the start. A Postgres that has started is ended by `stop` alone. */
  readonly signal?: AbortSignal;
}

const database = 'daguerre';
const maxLogBytes = 16 * 1024 * 1024;

/** Given on the command line, not in the cluster's file: they belong to the program, and change with it. */
const settings = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '200',
  shared_buffers: '128MB',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  jit: 'off',
  log_line_prefix: '%m [%p] ',
  log_checkpoints: 'off',
  timezone: 'UTC',
};

/**
 * Starts the Postgres that npm installed, on a Unix socket in a private directory.
 *
 * Layout of the data directory: `postgres/` the cluster, `postgres.log` what it says, `postgres.owner` the process
 * that may start it, `postgres-socket/`, `postgres.initdb-*` a cluster in the making.
 * After `kill -9` of anything, at any moment, the next start works: half a cluster has another name, an orphaned
 * postmaster is stopped first, and an owner that no longer lives owns nothing.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log, signal } = options;
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = path.resolve(options.dataDir);
  const cluster = path.join(dataDir, 'postgres');
  const disown = await takeOwnership(path.join(dataDir, 'postgres.owner'));
  try {
    const binaries = await embeddedBinaries();
    const run = await runAs(binaries.postgres, cluster);
    const orphans = await stopOrphans(cluster);
    if (orphans.length > 0) log.warn({ pids: orphans }, 'stopped an orphaned Postgres');
    const made = await ensureCluster(cluster, binaries, run, signal);
    if (made === 'made') log.info({ cluster }, 'made a new Postgres cluster');
    const sockets = await socketDirectory(dataDir, run);
    const logFile = path.join(dataDir, 'postgres.log');
    const child = await launch(binaries.postgres, cluster, sockets, logFile, run);
    const exited = once(child, 'exit').then(([code, by]) => ({ code, signal: by }));
    try {
      await ready(child, sockets, logFile, options);
    } catch (error) {
      await end(child, exited);
      throw error;
    }
    const pid = child.pid ?? -1;
    log.info({ pid, cluster }, 'Postgres is ready');
    return {
      url: socketUrl(sockets, database),
      pid,
      exited,
      stop: async () => {
        await end(child, exited);
        await disown();
      },
    };
  } catch (error) {
    await disown();
    throw error;
  }
}

/** Where the embedded Postgres of a data directory listens; undefined when none runs there. */
export async function embeddedPostgresUrl(dataDir: string): Promise<string | undefined> {
  const cluster = path.resolve(dataDir, 'postgres');
  const found = await postmaster(cluster);
  if (!found?.ready || !(await processesOn(cluster)).includes(found.pid)) return undefined;
  return socketUrl(found.socketDirectory, database);
}

async function launch(
  postgres: string,
  cluster: string,
  sockets: string,
  logFile: string,
  run: RunAs,
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
  sockets: string,
  logFile: string,
  { log, signal }: EmbeddedOptions,
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

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
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
