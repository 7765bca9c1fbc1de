import { execFile, type SpawnOptions } from 'node:child_process';
import { chmod, chown, lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** Debian's `nobody`: Postgres needs an account that has a name. */
export const nobody = 65534;

/** Nothing of our own environment reaches Postgres: a stray PGOPTIONS or LD_LIBRARY_PATH must not change it. */
export const postgresEnvironment = {
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** A way to run Postgres, which refuses to be root. */
export interface RunAs {
  readonly kind: 'self' | 'namespace' | 'user';
  /** Program and arguments that go in front of Postgres's own. */
  readonly prefix: readonly string[];
  readonly options: Pick<SpawnOptions, 'uid' | 'gid'>;
  /** Who owns the files of the cluster, as seen from here. */
  readonly uid: number;
  readonly gid: number;
}

/**
 * Ordinary users run Postgres as themselves. Root runs it in a user namespace where it is called `nobody`, which needs
 * no other owner of the files; else really as `nobody`. A cluster that an ordinary user began stays theirs.
 */
export async function runAs(postgres: string, cluster: string): Promise<RunAs> {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;
  if (uid !== 0) return { kind: 'self', prefix: [], options: {}, uid, gid };

  const owner = await stat(cluster).catch(() => undefined);
  if (owner && owner.uid !== 0 && owner.uid !== nobody)
    return requireEntry(asUser(owner.uid, owner.gid), postgres, cluster);

  const namespace: RunAs = {
    kind: 'namespace',
    prefix: ['unshare', '-U', `--map-user=${nobody}`, `--map-group=${nobody}`, '--'],
    options: {},
    uid,
    gid,
  };
  if (await works(namespace, postgres)) return namespace;
  await letIn(path.dirname(cluster));
  return requireEntry(asUser(nobody, nobody), postgres, cluster);
}

export function asUser(uid: number, gid: number): RunAs {
  return { kind: 'user', prefix: [], options: { uid, gid }, uid, gid };
}

/** The data directory is private to root; `nobody` may pass through it, and not read it. */
async function letIn(dataDir: string): Promise<void> {
  const { uid, mode } = await stat(dataDir);
  if (uid !== 0 || (mode & 0o001) !== 0) return;
  await chown(dataDir, uid, nobody);
  await chmod(dataDir, (mode & 0o7777) | 0o010);
}

/** Program and arguments, with the prefix in front. */
export function commandLine(
  run: RunAs,
  program: string,
  parameters: readonly string[],
): [string, string[]] {
  const [first = program, ...rest] = [...run.prefix, program, ...parameters];
  return [first, rest];
}

async function works(run: RunAs, postgres: string): Promise<boolean> {
  const [program, parameters] = commandLine(run, postgres, ['--version']);
  const started = promisify(execFile)(program, parameters, {
    ...run.options,
    env: postgresEnvironment,
  });
  return started.then(
    () => true,
    () => false,
  );
}

/** Rejects, naming the directory, when the user cannot reach Postgres's programs or the cluster's parent. */
export async function requireEntry(run: RunAs, postgres: string, cluster: string): Promise<RunAs> {
  for (const directory of [...parents(postgres), ...parents(cluster)]) {
    const { uid, gid, mode } = await stat(directory);
    const bit = uid === run.uid ? 0o100 : gid === run.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0)
      throw new Error(
        `Postgres refuses to run as root, user namespaces are not available here, and user ${run.uid} may not ` +
          `enter ${directory}: start Daguerre as an ordinary user, or allow it to enter (chmod o+x), or choose ` +
          'another data-dir, or give a Postgres of your own with postgres-url',
      );
  }
  if (await works(run, postgres)) return run;
  throw new Error(`${postgres} does not start as user ${run.uid}; run it by hand to see why`);
}

function parents(file: string): string[] {
  const parent = path.dirname(file);
  return parent === file ? [] : [...parents(parent), parent];
}

/** Gives a directory and all in it to the user that Postgres will run as, when it belongs to another. */
export async function own(directory: string, run: RunAs): Promise<void> {
  if (process.getuid?.() !== 0 || (await lstat(directory)).uid === run.uid) return;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const inside = path.join(directory, entry.name);
    if (entry.isDirectory()) await own(inside, run);
    else if (entry.isFile()) await chown(inside, run.uid, run.gid);
  }
  // Itself last: its owner says whether everything below was done.
  await chown(directory, run.uid, run.gid);
}
