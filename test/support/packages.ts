import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What tests use that npm does not bring. */
export interface DebianPackage {
  readonly name: string;
  /** Absolute path, or the name of a command. */
  readonly provides: string;
}

export const debianPackages: readonly DebianPackage[] = [
  { name: 'python3-glanceclient', provides: 'glance' },
  { name: 'python3-openstackclient', provides: 'openstack' },
  { name: 'qemu-utils', provides: 'qemu-img' },
  { name: 'grub-rescue-pc', provides: '/usr/lib/grub-rescue/grub-rescue-cdrom.iso' },
  { name: 'ipxe', provides: '/usr/lib/ipxe/ipxe.iso' },
  { name: 'python3-keystone', provides: '/usr/bin/keystone-manage' },
  { name: 'openssl', provides: 'openssl' },
  { name: 'nats-server', provides: 'nats-server' },
  { name: 'redis-server', provides: 'redis-server' },
  { name: 'glance-common', provides: '/usr/share/glance-common/metadefs/operating-system.json' },
];

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

/** Installs what is missing where it may. Throws naming each package and how to install it where it may not. */
export function ensurePackages(
  wanted: readonly DebianPackage[],
  say: (line: string) => void,
): void {
  const absent = wanted.filter((one) => !present(one));
  if (absent.length === 0) return;
  const names = absent.map(({ name }) => name);
  const asRoot = rootPrefix();
  if (asRoot === undefined || !onPath('apt-get')) throw new MissingPackages(names);
  say(`installing ${names.join(' ')}`);
  const [program = '', ...rest] = [...asRoot, 'sh', '-c', installScript, 'install', ...names];
  const { status, stdout, stderr } = spawnSync(program, rest, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const still = absent.filter((one) => !present(one)).map(({ name }) => name);
  if (still.length > 0)
    throw new MissingPackages(still, `apt-get ended with ${status}:\n${stdout}${stderr}`);
}

/** Throws naming the Debian package when a tool of it is not here: a test that needs it fails, and is never skipped. */
export function requirePackage(name: string): void {
  const wanted = debianPackages.find((one) => one.name === name);
  if (wanted === undefined || !present(wanted)) throw new MissingPackages([name]);
}

class MissingPackages extends Error {
  constructor(names: readonly string[], why = '') {
    const list = names.join(' ');
    super(`tests need Debian packages that are not installed: ${list}
Install them as root: apt-get install --no-install-recommends ${list}
${why}`);
  }
}

const present = ({ provides }: DebianPackage): boolean =>
  provides.startsWith('/') ? readable(provides) : onPath(provides);

function onPath(command: string): boolean {
  // biome-ignore lint/style/noProcessEnv: commands are looked up as a shell does
  const path = process.env.PATH ?? '';
  return path.split(delimiter).some((directory) => readable(join(directory, command)));
}

function readable(file: string): boolean {
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
