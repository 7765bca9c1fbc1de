import { execFile } from 'node:child_process';
import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { qemuImg, qemuInfo } from '../inspection/fixtures.ts';

/** A disk image in a file, with what the machine's own tools say of it. */
export interface DiskImage {
  readonly name: string;
  readonly path: string;
  /** As the Image API spells it. */
  readonly diskFormat: string;
  readonly size: number;
  readonly virtualSize: number;
  readonly md5: string;
  readonly sha512: string;
}

const mebibyte = 1024 * 1024;

/** What `md5sum`, `sha512sum` and `qemu-img info` say of a file. */
export async function measured(
  name: string,
  path: string,
  diskFormat: string,
  qemuFormat: string,
): Promise<DiskImage> {
  const [md5, sha512, info, { size }] = await Promise.all([
    sumOf('md5sum', path),
    sumOf('sha512sum', path),
    qemuInfo(path, qemuFormat),
    stat(path),
  ]);
  return { name, path, diskFormat, size, virtualSize: info['virtual-size'], md5, sha512 };
}

/** A raw disk that begins with a real program and is empty after it. */
export async function rawDisk(
  directory: string,
  { contentBytes = 20 * mebibyte, diskBytes = 48 * mebibyte } = {},
): Promise<string> {
  const path = join(directory, 'disk.raw');
  const program = await open(process.execPath);
  const disk = await open(path, 'w');
  try {
    const content = Buffer.alloc(contentBytes);
    await program.read(content, 0, contentBytes, 0);
    await disk.write(content);
  } finally {
    await disk.close();
    await program.close();
  }
  await truncate(path, diskBytes);
  return path;
}

const conversions = [
  { name: 'qcow2', diskFormat: 'qcow2', qemuFormat: 'qcow2', options: [] },
  { name: 'compressed qcow2', diskFormat: 'qcow2', qemuFormat: 'qcow2', options: ['-c'] },
  { name: 'vmdk', diskFormat: 'vmdk', qemuFormat: 'vmdk', options: [] },
  {
    name: 'stream-optimized vmdk',
    diskFormat: 'vmdk',
    qemuFormat: 'vmdk',
    options: ['-o', 'subformat=streamOptimized'],
  },
  { name: 'vdi', diskFormat: 'vdi', qemuFormat: 'vdi', options: [] },
  { name: 'vhdx', diskFormat: 'vhdx', qemuFormat: 'vhdx', options: [] },
  { name: 'vpc', diskFormat: 'vhd', qemuFormat: 'vpc', options: [] },
] as const;

/** One raw disk in every format that qemu-img makes and Glance takes, and discs that Debian ships. */
export async function realImages(directory: string): Promise<DiskImage[]> {
  const raw = await rawDisk(directory);
  const made: DiskImage[] = [await measured('raw', raw, 'raw', 'raw')];
  for (const { name, diskFormat, qemuFormat, options } of conversions) {
    const path = join(directory, `${name.replaceAll(' ', '-')}.${qemuFormat}`);
    await qemuImg('convert', '-f', 'raw', '-O', qemuFormat, ...options, raw, path);
    made.push(await measured(name, path, diskFormat, qemuFormat));
  }
  for (const [name, path] of [
    ['the ISO of grub-rescue-pc', '/usr/lib/grub-rescue/grub-rescue-cdrom.iso'],
    ['the ISO of ipxe', '/usr/lib/ipxe/ipxe.iso'],
  ] as const)
    made.push(await measured(name, path, 'iso', 'raw'));
  return made;
}

async function sumOf(command: string, path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(command, ['--binary', path]);
  return stdout.split(' ', 1)[0] ?? '';
}
