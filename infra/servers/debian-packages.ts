import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Something that npm does not bring, and the Debian package that does. */
export interface DebianPackage {
  readonly name: string;
  /** Absolute path, or the name of a command. */
  readonly provides: string;
}

/** Given to `sh` as root. No daemon that a package brings along starts; lists are fetched when the old ones will not do. */
const installScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"; }
install "$@" || { apt-get -q -o DPkg::Lock::Timeout=300 update && install "$@"; }
`;

/**
 * Installs what is missing where it may: as root, or by `sudo` where that asks for no password. Throws `MissingPackages`
 * where it may not. `path` is where commands are looked up, as in `$PATH`.
 */
export function installPackages(
  wanted: readonly DebianPackage[],
  path: string,
  say: (line: string) => void,
): void {
  const absent = wanted.filter((one) => !isPresent(one, path));
  if (absent.length === 0) return;
  const names = absent.map(({ name }) => name);
  const asRoot = rootPrefix();
  if (asRoot === undefined || !isOnPath('apt-get', path)) throw new MissingPackages(names);
  say(`installing ${names.join(' ')}`);
  const [program = '', ...rest] = [...asRoot, 'sh', '-c', installScript, 'install', ...names];
  const { status, stdout, stderr } = spawnSync(program, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const still = absent.filter((one) => !isPresent(one, path)).map(({ name }) => name);
  if (still.length > 0)
    throw new MissingPackages(still, `apt-get ended with ${status}:\n${stdout}${stderr}`);
}

/** The message says how to install them. */
export class MissingPackages extends Error {
  constructor(names: readonly string[], why = '') {
    const list = names.join(' ');
    const end = why === '' ? '' : `\n${why}`;
    super(`these Debian packages are needed and not installed: ${list}
Install them as root: apt-get install --no-install-recommends ${list}${end}`);
    this.name = 'MissingPackages';
  }
}

export const isPresent = ({ provides }: DebianPackage, path: string): boolean =>
  provides.startsWith('/') ? isReadable(provides) : isOnPath(provides, path);

const isOnPath = (command: string, path: string): boolean =>
  path.split(delimiter).some((directory) => isReadable(join(directory, command)));

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** How to run a command as root without being asked for a password; undefined where that is not to be had. */
function rootPrefix(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return [];
  const { status } = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return status === 0 ? ['sudo', '-n'] : undefined;
}
