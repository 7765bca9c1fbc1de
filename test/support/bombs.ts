import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib';

const mebibyte = 1024 * 1024;
const pieceBytes = 64 * mebibyte;
/** Not zeros: those would be holes, and cost nothing. */
const piece = (): Buffer => Buffer.alloc(pieceBytes, 'A');

/** So many GiB in as many MB. */
export const gzipBomb = (gibibytes: number): Buffer =>
  repeated(gzipSync(piece(), { level: 9 }), gibibytes * 16);

/** The same as the one member of an archive, whose directory tells its true size, or `claimed` bytes. */
export function zipBomb(gibibytes: number, claimed?: number): Buffer {
  const block = deflateRawSync(piece(), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  const lastBlock = Buffer.from([0x03, 0x00]);
  const data = Buffer.concat([repeated(block, gibibytes * 16), lastBlock]);
  return zipOf([
    { name: 'bomb.raw', data, size: claimed ?? gibibytes * 1024 * mebibyte, method: 8, crc: 0 },
  ]);
}

const repeated = (block: Buffer, times: number): Buffer =>
  Buffer.concat(Array.from({ length: times }, () => block));

export interface ZipEntry {
  readonly name: string;
  /** As it lies in the archive. */
  readonly data: Uint8Array;
  /** Uncompressed. */
  readonly size: number;
  readonly method: 0 | 8;
  readonly crc: number;
  readonly encrypted?: boolean;
}

export const storedEntry = (name: string, data: Uint8Array): ZipEntry => ({
  name,
  data,
  size: data.length,
  method: 0,
  crc: crc32(data),
});

export const deflatedEntry = (name: string, bytes: Uint8Array): ZipEntry => ({
  name,
  data: deflateRawSync(bytes),
  size: bytes.length,
  method: 8,
  crc: crc32(bytes),
});

/** An archive as PKWARE's APPNOTE has it, with zip64 where a size asks for it. */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = Buffer.concat([header(entry, undefined), entry.data]);
    directory.push(header(entry, offset));
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, central, end]);
}

/** Of an entry: in front of its data, or in the directory where `offset` says where that is. */
function header(entry: ZipEntry, offset: number | undefined): Buffer {
  const isLarge = entry.size >= 0xffffffff;
  const extra = isLarge ? Buffer.alloc(20) : Buffer.alloc(0);
  if (isLarge) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(16, 2);
    extra.writeBigUInt64LE(BigInt(entry.size), 4);
    extra.writeBigUInt64LE(BigInt(entry.data.length), 12);
  }
  const common = Buffer.alloc(26);
  common.writeUInt16LE(45, 0);
  common.writeUInt16LE(entry.encrypted === true ? 1 : 0, 2);
  common.writeUInt16LE(entry.method, 4);
  common.writeUInt32LE(entry.crc, 10);
  common.writeUInt32LE(isLarge ? 0xffffffff : entry.data.length, 14);
  common.writeUInt32LE(isLarge ? 0xffffffff : entry.size, 18);
  common.writeUInt16LE(Buffer.byteLength(entry.name), 22);
  common.writeUInt16LE(extra.length, 24);
  const name = Buffer.from(entry.name);
  if (offset === undefined)
    return Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, extra]);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(offset, 10);
  const madeBy = Buffer.from([45, 0]);
  return Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), madeBy, common, rest, name, extra]);
}

/** A disk of so many GiB in 10 MiB of qcow2: every one of its clusters is the same compressed one. */
export function qcow2Bomb(gibibytes: number): Buffer {
  const clusterBits = 21;
  const clusterBytes = 2 ** clusterBits;
  const [l1, l2, refcounts, data] = [1, 2, 3, 4].map((cluster) => cluster * clusterBytes);
  const compressed = deflateRawSync(Buffer.alloc(clusterBytes, 'A'), { windowBits: 12 });
  const image = Buffer.alloc(5 * clusterBytes);
  image.writeUInt32BE(0x514649fb, 0);
  image.writeUInt32BE(2, 4);
  image.writeUInt32BE(clusterBits, 20);
  image.writeBigUInt64BE(BigInt(gibibytes) * 1024n ** 3n, 24);
  image.writeUInt32BE(1, 36);
  image.writeBigUInt64BE(BigInt(l1 ?? 0), 40);
  image.writeBigUInt64BE(BigInt(refcounts ?? 0), 48);
  image.writeUInt32BE(1, 56);
  image.writeBigUInt64BE((1n << 63n) | BigInt(l2 ?? 0), l1 ?? 0);
  const sectors = BigInt(Math.ceil(compressed.length / 512) - 1);
  const entry = (1n << 62n) | (sectors << BigInt(62 - (clusterBits - 8))) | BigInt(data ?? 0);
  const clusters = (gibibytes * 1024 * mebibyte) / clusterBytes;
  for (let cluster = 0; cluster < clusters; cluster++)
    image.writeBigUInt64BE(entry, (l2 ?? 0) + 8 * cluster);
  compressed.copy(image, data);
  return image;
}
