import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { standaloneMain } from './daguerre.ts';

/** Debian's `nobody` and `nogroup`. */
const nobody = 65534;

export interface OrdinaryUser {
  /** In front of a command line, runs it as that user. */
  readonly prefix: readonly string[];
  /** The program, where that user can read it. */
  readonly main: string;
  /** A directory of that user's own. */
  readonly home: string;
}

/** Somebody who is not root: who runs the tests already or, under root, `nobody` with a home. */
export async function ordinaryUser(): Promise<OrdinaryUser> {
  const home = await mkdtemp(join(tmpdir(), 'home-'));
  if (process.getuid?.() !== 0) return { prefix: [], main: standaloneMain, home };
  await chown(home, nobody, nobody);
  const prefix = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
  return { prefix, main: await readableMain(prefix), home };
}

/** The built program itself or, where the project lies in a directory that only root may enter, a copy of it. */
async function readableMain(prefix: readonly string[]): Promise<string> {
  const [program = '', ...parameters] = [...prefix, 'test', '-r', standaloneMain];
  if (spawnSync(program, parameters).status === 0) return standaloneMain;
  const built = fileURLToPath(new URL('../..', import.meta.url));
  const project = projectAround(built);
  const copy = await mkdtemp(join(tmpdir(), 'copy-'));
  await chmod(copy, 0o755);
  for (const part of ['package.json', 'node_modules', relative(project, built)])
    await cp(join(project, part), join(copy, part), { recursive: true, verbatimSymlinks: true });
  return join(copy, relative(project, standaloneMain));
}

/** The nearest directory above that holds `node_modules`. */
function projectAround(directory: string): string {
  if (existsSync(join(directory, 'node_modules'))) return directory;
  return projectAround(dirname(directory));
}
