import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chown, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Binaries } from './binaries.ts';
import { commandLine, own, postgresEnvironment, type RunAs } from './run-as.ts';

const draftPrefix = 'postgres.initdb-';

export const superuser = 'daguerre';

/**
 * Makes the cluster when there is none. It appears whole or not at all: built and synced beside its place, then renamed.
 * Names sort by code point, case is folded by Unicode's rules, whatever the machine's locale.
 */
export async function ensureCluster(
  cluster: string,
  binaries: Binaries,
  run: RunAs,
  signal?: AbortSignal,
): Promise<'made' | 'found'> {
  const parent = path.dirname(cluster);
  await removeDrafts(parent);
  if (await stat(cluster).catch(() => undefined)) {
    await own(cluster, run);
    return 'found';
  }
  const draft = path.join(parent, `${draftPrefix}${randomUUID()}`);
  try {
    await mkdir(draft, { mode: 0o700 });
    if (process.getuid?.() === 0) await chown(draft, run.uid, run.gid);
    const [program, parameters] = commandLine(run, binaries.initdb, [
      `--pgdata=${draft}`,
      `--username=${superuser}`,
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--data-checksums',
      '--no-instructions',
    ]);
    await promisify(execFile)(program, parameters, {
      ...run.options,
      cwd: parent,
      env: postgresEnvironment,
      ...(signal ? { signal } : {}),
    });
    await rename(draft, cluster);
    await syncDirectory(parent);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return 'made';
}

/**
 * Left by an initdb that was killed; one that still runs as an orphan fails when its directory goes. What cannot be
 * removed now is in nobody's way, and goes at a later start.
 */
async function removeDrafts(parent: string): Promise<void> {
  const names = await readdir(parent);
  for (const name of names.filter((each) => each.startsWith(draftPrefix)))
    await rm(path.join(parent, name), { recursive: true, force: true, maxRetries: 5 }).catch(
      () => undefined,
    );
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
