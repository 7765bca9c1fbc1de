import {
  type DebianPackage,
  installPackages,
  isPresent,
  MissingPackages,
} from '../../infra/servers/debian-packages.ts';

/** What tests use that npm does not bring. */
export const debianPackages: readonly DebianPackage[] = [
  { name: 'python3-glanceclient', provides: 'glance' },
  { name: 'python3-openstackclient', provides: 'openstack' },
  { name: 'qemu-utils', provides: 'qemu-img' },
  { name: 'grub-rescue-pc', provides: '/usr/lib/grub-rescue/grub-rescue-cdrom.iso' },
  { name: 'ipxe', provides: '/usr/lib/ipxe/ipxe.iso' },
  { name: 'python3-keystone', provides: '/usr/bin/keystone-manage' },
  { name: 'openssl', provides: 'openssl' },
  { name: 'bzip2', provides: 'bzip2' },
  { name: 'xz-utils', provides: 'xz' },
  { name: 'zstd', provides: 'zstd' },
  { name: 'nats-server', provides: 'nats-server' },
  { name: 'redis-server', provides: 'redis-server' },
  { name: 'glance-common', provides: '/usr/share/glance-common/metadefs/operating-system.json' },
  { name: 'systemd', provides: 'systemd-analyze' },
];

/** Installs what is missing where it may. Throws naming each package and how to install it where it may not. */
export function ensurePackages(
  wanted: readonly DebianPackage[],
  say: (line: string) => void,
): void {
  installPackages(wanted, searchPath(), say);
}

/** Throws naming the Debian package when a tool of it is not here: a test that needs it fails, and is never skipped. */
export function requirePackage(name: string): void {
  const wanted = debianPackages.find((one) => one.name === name);
  if (wanted === undefined || !isPresent(wanted, searchPath())) throw new MissingPackages([name]);
}

// biome-ignore lint/style/noProcessEnv: commands are looked up as a shell does
const searchPath = (): string => process.env.PATH ?? '';
