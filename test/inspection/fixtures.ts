import { execFile } from 'node:child_process';
import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gptImage, mbrImage } from './shapes.ts';

/** A real image in a file, and what qemu-img says of it. */
export interface MadeImage {
  /** For test names, for example "vmdk streamOptimized". */
  readonly name: string;
  readonly path: string;
  /** As the Image API spells it. */
  readonly diskFormat: string;
  readonly qemuFormat: string;
  /** In bytes, by `qemu-img info -f <qemuFormat>`. */
  readonly virtualSize: number;
  /** Null for an image that must be accepted, else what the refusal must say. */
  readonly refusal: RegExp | null;
}

interface Recipe {
  readonly name: string;
  readonly diskFormat: string;
  readonly qemuFormat: string;
  /** Arguments of qemu-img, `{source}` and `{target}` standing for paths. */
  readonly make: readonly string[];
  /** More calls of qemu-img, once it is made. */
  readonly afterwards?: readonly (readonly string[])[];
  readonly refusal?: RegExp;
}

const secret = ['--object', 'secret,id=key,data=open sesame'];

const converted = (
  name: string,
  diskFormat: string,
  qemuFormat: string,
  options: string,
  refusal?: RegExp,
): Recipe => ({
  name,
  diskFormat,
  qemuFormat,
  make: [
    ...['convert', '-f', 'raw', '-O', qemuFormat],
    ...(options ? ['-o', options] : []),
    ...['{source}', '{target}'],
  ],
  ...(refusal && { refusal }),
});

const recipes: readonly Recipe[] = [
  converted('raw', 'raw', 'raw', ''),
  converted('qcow2 version 2', 'qcow2', 'qcow2', 'compat=0.10'),
  converted('qcow2 version 3', 'qcow2', 'qcow2', ''),
  converted(
    'qcow2 with lazy refcounts and preallocation',
    'qcow2',
    'qcow2',
    'lazy_refcounts=on,preallocation=metadata',
  ),
  converted('qcow2 in 512-byte clusters', 'qcow2', 'qcow2', 'cluster_size=512'),
  converted('qcow2 in 2 MiB clusters', 'qcow2', 'qcow2', 'cluster_size=2M'),
  {
    ...converted('qcow2 compressed with zstd', 'qcow2', 'qcow2', ''),
    make: [
      'convert',
      '-c',
      '-f',
      'raw',
      '-O',
      'qcow2',
      '-o',
      'compression_type=zstd',
      '{source}',
      '{target}',
    ],
  },
  {
    ...converted('qcow2 with an internal snapshot', 'qcow2', 'qcow2', ''),
    afterwards: [['snapshot', '-c', 'before', '{target}']],
  },
  {
    name: 'qcow2 encrypted',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    make: [
      ...['create', ...secret, '-f', 'qcow2'],
      ...[
        '-o',
        'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10',
        '{target}',
        '4M',
      ],
    ],
  },
  {
    name: 'qcow2 of 1 TiB, empty',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    make: ['create', '-f', 'qcow2', '{target}', '1T'],
  },
  {
    name: 'qcow2 of no bytes',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    make: ['create', '-f', 'qcow2', '{target}', '0'],
  },
  {
    name: 'qcow2 over a backing file',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    make: ['create', '-f', 'qcow2', '-F', 'raw', '-b', '{source}', '{target}'],
    refusal: /backing file/,
  },
  {
    name: 'qcow2 with an external data file',
    diskFormat: 'qcow2',
    qemuFormat: 'qcow2',
    make: ['create', '-f', 'qcow2', '-o', 'data_file={target}.data', '{target}', '4M'],
    refusal: /external data file/,
  },
  converted(
    'qcow2 with extended L2 entries',
    'qcow2',
    'qcow2',
    'extended_l2=on',
    /incompatible bits 0x10/,
  ),
  converted('vmdk monolithicSparse', 'vmdk', 'vmdk', 'subformat=monolithicSparse'),
  converted('vmdk streamOptimized', 'vmdk', 'vmdk', 'subformat=streamOptimized'),
  converted('vmdk monolithicFlat', 'vmdk', 'vmdk', 'subformat=monolithicFlat', /monolithicflat/),
  converted(
    'vmdk twoGbMaxExtentSparse',
    'vmdk',
    'vmdk',
    'subformat=twoGbMaxExtentSparse',
    /twogbmaxextentsparse/,
  ),
  converted(
    'vmdk twoGbMaxExtentFlat',
    'vmdk',
    'vmdk',
    'subformat=twoGbMaxExtentFlat',
    /twogbmaxextentflat/,
  ),
  {
    name: 'vmdk over a parent',
    diskFormat: 'vmdk',
    qemuFormat: 'vmdk',
    make: ['create', '-f', 'vmdk', '{target}.parent', '4M'],
    afterwards: [['create', '-f', 'vmdk', '-F', 'vmdk', '-b', '{target}.parent', '{target}']],
    refusal: /parent image/,
  },
  converted('vdi', 'vdi', 'vdi', ''),
  converted('vdi fixed', 'vdi', 'vdi', 'static=on'),
  converted('vhdx', 'vhdx', 'vhdx', ''),
  converted('vhdx fixed', 'vhdx', 'vhdx', 'subformat=fixed'),
  converted('vhd', 'vhd', 'vpc', ''),
  converted('vhd of exact size', 'vhd', 'vpc', 'force_size=on'),
  converted('vhd fixed', 'vhd', 'vpc', 'subformat=fixed'),
  converted('qed', 'qed', 'qed', '', /QED, which is never accepted/),
  {
    name: 'luks',
    diskFormat: 'luks',
    qemuFormat: 'luks',
    make: [
      'create',
      ...secret,
      '-f',
      'luks',
      '-o',
      'key-secret=key,iter-time=10',
      '{target}',
      '4M',
    ],
  },
];

const run = promisify(execFile);

/** Standard output of one qemu-img call. */
export async function qemuImg(...args: readonly string[]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await run('qemu-img', args)).stdout;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if ('code' in error && error.code === 'ENOENT') {
        throw new Error('qemu-img is missing: install the Debian package qemu-utils', {
          cause: error,
        });
      }
      // making LUKS, it times its key derivation, which can fail on a busy machine
      if (!error.message.includes('accurate CPU usage') || attempt === 20) throw error;
    }
  }
}

export interface QemuInfo {
  readonly 'virtual-size': number;
  readonly 'backing-filename'?: string;
}

export const qemuInfo = async (path: string, qemuFormat: string): Promise<QemuInfo> =>
  JSON.parse(await qemuImg('info', '--output=json', '-f', qemuFormat, path)) as QemuInfo;

/**
 * Makes a real image of every format and option, accepted and refused ones, in `dir`; about 60 MiB, most of it holes.
 * The content is the first 3 MiB of the running program, then zeros to 4 MiB.
 */
export async function makeImages(dir: string): Promise<readonly MadeImage[]> {
  const source = join(dir, 'content');
  await writeContent(source);
  const made = [];
  for (const [index, recipe] of recipes.entries())
    made.push(await make(recipe, index, dir, source));
  const partitioned = [
    await written(dir, 'gpt', 'gpt', gptImage()),
    await written(dir, 'mbr', 'gpt', mbrImage()),
  ];
  return [...made, ...partitioned, await realIso()];
}

async function make(
  recipe: Recipe,
  index: number,
  dir: string,
  source: string,
): Promise<MadeImage> {
  const { name, diskFormat, qemuFormat } = recipe;
  const path = join(dir, `${index}.${qemuFormat}`);
  for (const args of [recipe.make, ...(recipe.afterwards ?? [])]) {
    await qemuImg(...args.map((arg) => arg.replace('{source}', source).replace('{target}', path)));
  }
  const virtualSize = (await qemuInfo(path, qemuFormat))['virtual-size'];
  return { name, path, diskFormat, qemuFormat, virtualSize, refusal: recipe.refusal ?? null };
}

async function written(
  dir: string,
  name: string,
  diskFormat: string,
  bytes: Uint8Array,
): Promise<MadeImage> {
  const path = join(dir, name);
  await writeFile(path, bytes);
  return { name, path, diskFormat, qemuFormat: 'raw', virtualSize: bytes.length, refusal: null };
}

async function writeContent(path: string): Promise<void> {
  const program = await open(process.execPath);
  const bytes = Buffer.alloc(4 * 1024 * 1024);
  await program.read(bytes, 0, 3 * 1024 * 1024, 0);
  await program.close();
  await writeFile(path, bytes);
}

const isos = ['/usr/lib/grub-rescue/grub-rescue-cdrom.iso', '/usr/lib/ipxe/ipxe.iso'];

/** A bootable disc that a Debian package ships. */
export async function realIso(): Promise<MadeImage> {
  for (const path of isos) {
    const found = await stat(path).catch(() => null);
    if (!found) continue;
    const shape = { diskFormat: 'iso', qemuFormat: 'raw', refusal: null };
    return { name: 'iso', path, ...shape, virtualSize: found.size };
  }
  throw new Error('no ISO to test with: install the Debian package grub-rescue-pc or ipxe');
}
