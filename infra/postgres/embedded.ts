import path from 'node:path';
import { makeDirectories } from '../files/files.ts';
import { embeddedBinaries } from './embedded/binaries.ts';
import { ensureCluster } from './embedded/cluster.ts';
import { type Ending, end, launch } from './embedded/launch.ts';
import { postmaster, processesOn, stopOrphans } from './embedded/orphans.ts';
import { takeOwnership } from './embedded/owner.ts';
import { runAs } from './embedded/run-as.ts';
import { database, socketDirectory, socketUrl } from './embedded/socket.ts';
import type { Log } from './log.ts';

export interface EmbeddedPostgres {
  /** Of the database `daguerre`; the same at every start in this data directory. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the postmaster has ended, for whatever reason; starting it again is the caller's part. */
  readonly exited: Promise<Ending>;
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

/**
 * Starts the Postgres that npm installed, on a Unix socket in a private directory.
 *
 * Layout of the data directory: `postgres/` the cluster, `postgres.log` what it says, `postgres.owner.{n}` the process
 * that may start it, `postgres-socket/`, `postgres.initdb-*` a cluster in the making.
 * After `kill -9` of anything, at any moment, the next start works: half a cluster has another name, an orphaned
 * postmaster is stopped first, and an owner that no longer lives owns nothing.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log, signal } = options;
  await makeDirectories(options.dataDir, 0o700);
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
    const launched = () =>
      launch({ ...options, postgres: binaries.postgres, cluster, sockets, run });
    const { child, exited } = await launched().catch(async (error) => {
      // One that a dying parent was just starting shows itself only now.
      if (signal?.aborted || (await stopOrphans(cluster)).length === 0) throw error;
      return launched();
    });
    const pid = child.pid ?? -1;
    log.info({ postmaster: pid, cluster }, 'Postgres is ready');
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
