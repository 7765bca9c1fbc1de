// The least valid image of each format, made by hand, to be bent into each unsafe shape by `patched`.

import { crc32c } from '../../domain/inspection/crc32c.ts';

const kib = 1024;
const mib = 1024 * kib;

export type Patch = readonly [offset: number, bytes: Uint8Array];

/** A copy with each patch written over it. */
export function patched(bytes: Uint8Array, ...patches: readonly Patch[]): Uint8Array {
  const copy = new Uint8Array(bytes); // not slice: of a Buffer that is no copy
  for (const [offset, patch] of patches) copy.set(patch, offset);
  return copy;
}

const number = (bytes: number, write: (buffer: Buffer) => void): Uint8Array => {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
};
export const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');
export const byte = (value: number): Uint8Array => Uint8Array.of(value);
export const be16 = (value: number) => number(2, (buffer) => buffer.writeUInt16BE(value));
export const be32 = (value: number) => number(4, (buffer) => buffer.writeUInt32BE(value));
export const be64 = (value: bigint | number) =>
  number(8, (buffer) => buffer.writeBigUInt64BE(BigInt(value)));
export const le16 = (value: number) => number(2, (buffer) => buffer.writeUInt16LE(value));
export const le32 = (value: number) => number(4, (buffer) => buffer.writeUInt32LE(value));
export const le64 = (value: bigint | number) =>
  number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));

/** Bytes of no format. */
export const plain = (size: number): Uint8Array => new Uint8Array(size).fill(0x2a);

/** 10 MiB of disk in 64 KiB clusters: header, refcount table, refcount block, L1 table. */
export const qcow2Image = (version: 2 | 3 = 3): Uint8Array =>
  patched(
    new Uint8Array(3 * 64 * kib + 8),
    [0, text('QFI\xfb')],
    [4, be32(version)],
    [20, be32(16)],
    [24, be64(10 * mib)],
    [36, be32(1)],
    [40, be64(3 * 64 * kib)],
    [48, be64(64 * kib)],
    [56, be32(1)],
    [64 * kib, be64(2 * 64 * kib)],
    ...(version === 3
      ? ([
          [96, be32(4)],
          [100, be32(104)],
        ] as const)
      : []),
  );

export const vmdkDescriptor = (type: string, ...extents: readonly string[]): string =>
  [
    '# Disk DescriptorFile',
    'version=1',
    'CID=8b77fa58',
    'parentCID=ffffffff',
    `createType="${type}"`,
    '',
    '# Extent description',
    ...extents,
    '# The Disk Data Base',
    '#DDB',
    'ddb.adapterType = "ide"',
    '',
  ].join('\n');

export const sparseExtent = 'RW 20480 SPARSE "disk.vmdk"';
export const monolithicSparse = vmdkDescriptor('monolithicSparse', sparseExtent);

/** 10 MiB of disk, the grain directory at sector 32. */
export const vmdkImage = (descriptor: string = monolithicSparse): Uint8Array =>
  patched(
    new Uint8Array(64 * kib),
    [0, text('KDMV')],
    [4, le32(1)],
    [8, le32(3)],
    [12, le64(20_480)],
    [20, le64(128)],
    [28, le64(1)],
    [36, le64(20)],
    [44, le32(512)],
    [48, le64(30)],
    [56, le64(32)],
    [64, le64(128)],
    [512, text(descriptor)],
  );

const directoryAtEnd = le64(0xffff_ffff_ffff_ffffn);
export const vmdkStreamDescriptor = vmdkDescriptor('streamOptimized', sparseExtent);

/** The same disk as a stream, its grain directory known to its footer only. */
export function vmdkStream(): Uint8Array {
  const flags = 0x3_0001;
  const body = patched(
    vmdkImage(vmdkStreamDescriptor),
    [4, le32(3)],
    [8, le32(flags)],
    [77, le16(1)],
  );
  const footer = body.subarray(0, 512);
  const end = patched(new Uint8Array(3 * 512), [0, le64(1)], [12, le32(3)], [512, footer]);
  return Buffer.concat([patched(body, [56, directoryAtEnd]), end]);
}

/** 10 MiB of disk, five blocks of 2 MiB. */
export const vhdImage = (): Uint8Array => {
  const footer = vhdFooter(3, 10 * mib);
  const start = patched(
    new Uint8Array(2048),
    [0, footer],
    [16, be64(512)],
    [512, text('cxsparse')],
    [528, be64(1536)],
    [540, be32(5)],
    [544, be32(2 * mib)],
    [1536, new Uint8Array(512).fill(0xff)],
  );
  return withVhdChecksums(Buffer.concat([start, new Uint8Array(512)]));
};

/** A dynamic VHD whose bytes were changed, with a checksum that fits again and the same footer at its end. */
export function withVhdChecksums(bytes: Uint8Array): Uint8Array {
  const footer = withFooterChecksum(bytes.subarray(0, 512));
  return patched(bytes, [0, footer], [bytes.length - 512, footer]);
}

export function withFooterChecksum(footer: Uint8Array): Uint8Array {
  const sum = patched(footer, [64, new Uint8Array(4)]).reduce((total, value) => total + value, 0);
  return patched(footer, [64, be32(~sum >>> 0)]);
}

export const vhdFooter = (type: number, virtualSize: bigint | number): Uint8Array =>
  withFooterChecksum(
    patched(
      new Uint8Array(512),
      [0, text('conectix')],
      [12, be32(0x10000)],
      [16, be64(0xffff_ffff_ffff_ffffn)],
      [40, be64(virtualSize)],
      [48, be64(virtualSize)],
      [60, be32(type)],
    ),
  );

/** A disk's bytes with the footer behind them. */
export const fixedVhdImage = (): Uint8Array => Buffer.concat([plain(mib), vhdFooter(2, mib)]);

const guid = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
export const vhdxIds = {
  metadata: guid('06a27c8b90479a4bb8fe575f050f886e'),
  blockTable: guid('6677c22d23f600429d64115e9bfd4a08'),
  fileParameters: guid('3767a1ca36fa434db3b633f0aa44e76b'),
  virtualDiskSize: guid('2442a52f1bcd7648b2115dbed83bf4b8'),
  parentLocator: guid('2d5fd3a80bb34d45abf7d3d84834ab0c'),
};

/** 10 MiB of disk; metadata at 2 MiB, block table at 3 MiB. Both region tables are the same. */
export function vhdxImage(): Uint8Array {
  const regions: readonly Patch[] = [
    [0, text('regi')],
    [8, le32(2)],
    [16, vhdxIds.blockTable],
    [32, le64(3 * mib)],
    [40, le32(mib)],
    [44, le32(1)],
    [48, vhdxIds.metadata],
    [64, le64(2 * mib)],
    [72, le32(mib)],
    [76, le32(1)],
  ];
  const at = (base: number, patches: readonly Patch[]): readonly Patch[] =>
    patches.map(([offset, bytes]) => [base + offset, bytes]);
  return withChecksums(
    patched(
      new Uint8Array(4 * mib),
      [0, text('vhdxfile')],
      [64 * kib, text('head')],
      [64 * kib + 8, le64(7)],
      [128 * kib, text('head')],
      [128 * kib + 8, le64(8)],
      ...at(192 * kib, regions),
      ...at(256 * kib, regions),
      ...at(2 * mib, [
        [0, text('metadata')],
        [10, le16(2)],
        [32, vhdxIds.fileParameters],
        [48, le32(64 * kib)],
        [52, le32(8)],
        [56, le32(4)],
        [64, vhdxIds.virtualDiskSize],
        [80, le32(64 * kib + 8)],
        [84, le32(8)],
        [88, le32(6)],
        [64 * kib, le32(mib)],
        [64 * kib + 8, le64(10 * mib)],
      ]),
    ),
  );
}

/** Where a VHDX keeps its checksummed structures, and how long they are. */
export const vhdxChecksummed = [
  [64 * kib, 4 * kib],
  [128 * kib, 4 * kib],
  [192 * kib, 64 * kib],
  [256 * kib, 64 * kib],
] as const;

/** A VHDX whose bytes were changed, with checksums that fit again. */
export const withChecksums = (bytes: Uint8Array): Uint8Array =>
  patched(
    bytes,
    ...vhdxChecksummed.map(
      ([at, length]): Patch => [at + 4, le32(crc32c(bytes.subarray(at, at + length), 4))],
    ),
  );

/** 10 MiB of disk in blocks of 1 MiB. */
export const vdiImage = (): Uint8Array =>
  patched(
    new Uint8Array(1024),
    [0, text('<<< QEMU VM Virtual Disk Image >>>\n')],
    [64, le32(0xbeda107f)],
    [68, le32(0x10001)],
    [72, le32(384)],
    [76, le32(1)],
    [340, le32(512)],
    [344, le32(1024)],
    [360, le32(512)],
    [368, le64(10 * mib)],
    [376, le32(mib)],
    [384, le32(10)],
  );

/** 1 MiB behind a header of 2 MiB. */
export const luksImage = (): Uint8Array =>
  patched(new Uint8Array(3 * mib), [0, text('LUKS\xba\xbe')], [6, be16(1)], [104, be32(4096)]);

export const isoImage = (identifier = 'CD001'): Uint8Array =>
  patched(new Uint8Array(40 * kib), [32 * kib, byte(1)], [32 * kib + 1, text(identifier)]);

export const qedImage = (): Uint8Array => patched(new Uint8Array(64 * kib), [0, text('QED\0')]);

/** A partition table's entry; `startChs` is head, sector, cylinder. */
export const mbrEntry = (
  bootFlag: number,
  startChs: readonly number[],
  type: number,
  startSector: number,
): Uint8Array =>
  patched(
    new Uint8Array(16),
    [0, Uint8Array.of(bootFlag, ...startChs, type)],
    [8, le32(startSector)],
  );

export const mbrSignature: Patch = [510, Uint8Array.of(0x55, 0xaa)];

/** One bootable Linux partition from 1 MiB on, in a disk of 2 MiB. */
export const mbrImage = (): Uint8Array =>
  patched(
    new Uint8Array(2 * mib),
    [446, mbrEntry(0x80, [0x20, 0x21, 0x00], 0x83, 2048)],
    [458, le32(2048)],
    mbrSignature,
  );

/** A protective MBR and a GPT header, in a disk of 2 MiB. */
export const gptImage = (): Uint8Array =>
  patched(
    new Uint8Array(2 * mib),
    [446, mbrEntry(0x00, [0x00, 0x02, 0x00], 0xee, 1)],
    [458, le32(4095)],
    mbrSignature,
    [512, text('EFI PART')],
    [520, le32(0x10000)],
    [524, le32(92)],
    [536, le64(1)],
    [544, le64(4095)],
  );

/** A FAT16 volume's boot sector, as mkfs.fat writes it. */
export const fatImage = (media = 0xf8): Uint8Array =>
  patched(
    new Uint8Array(mib),
    [0, Uint8Array.of(0xeb, 0x3c, 0x90)],
    [3, text('mkfs.fat')],
    [11, le16(512)],
    [13, byte(4)],
    [14, le16(4)],
    [16, byte(2)],
    [17, le16(512)],
    [19, le16(2048)],
    [21, byte(media)],
    [62, text('This is not a bootable disk.')],
    [446, text('no partition table here')],
    mbrSignature,
  );
