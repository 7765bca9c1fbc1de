import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { startConfined } from './confined.ts';
import { PluginRefused } from './plugin.ts';
import { memberOf } from './zip.ts';

/** A way of compressing one file. */
export interface Compression {
  readonly name: string;
  /** What its files begin with. */
  begins(head: Buffer): boolean;
  /** The bytes within, in order. Rejects with `PluginRefused` where the file is damaged. */
  expand(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array>;
}

export const headBytes = 16;

const chunkBytes = 256 * 1024;
const mebibyte = 1024 * 1024;
/** What decoders are let use; the largest window that xz and zstd make by themselves fits in. */
const memoryBytes = 512 * mebibyte;
const windowBytes = 256 * mebibyte;
const cpuSeconds = 4 * 3600;

const damaged = (how: string, cause?: unknown): PluginRefused =>
  new PluginRefused(
    'format-refused',
    `The ${how} file is damaged or cut short: compress the image again`,
    cause,
  );

const beginsWith =
  (...bytes: readonly number[]) =>
  (head: Buffer): boolean =>
    bytes.every((byte, index) => head[index] === byte);

const gzip: Compression = {
  name: 'gzip',
  begins: beginsWith(0x1f, 0x8b, 0x08),
  async *expand(path, signal) {
    const gunzip = createGunzip({ chunkSize: chunkBytes });
    pipeline(createReadStream(path, { highWaterMark: chunkBytes, signal }), gunzip, () => {});
    yield* orDamaged('gzip', gunzip, signal);
  },
};

const zip: Compression = {
  name: 'zip',
  begins: beginsWith(0x50, 0x4b, 0x03, 0x04),
  async *expand(path, signal) {
    const member = await memberOf(path);
    try {
      yield* orDamaged('zip', member.stream, signal);
    } finally {
      member.close();
    }
  },
};

async function* orDamaged(
  how: string,
  stream: Readable,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    signal.throwIfAborted();
    throw damaged(how, error);
  }
}

/** By a tool of that name, which writes to its standard output. */
const byTool = (
  name: string,
  args: readonly string[],
  begins: Compression['begins'],
): Compression => ({
  name,
  begins,
  async *expand(path, signal) {
    const input = await open(path, 'r');
    const limits = { memoryBytes, cpuSeconds };
    const { child, ended } = startConfined(name, args, limits, { input: input.fd, signal });
    try {
      if (child.stdout !== null) yield* child.stdout;
      const { code, said } = await ended;
      signal.throwIfAborted();
      if (code === 0) return;
      if (/memory/i.test(said))
        throw new PluginRefused(
          'too-large',
          `The ${name} file needs more memory than there may be: compress the image with a smaller window`,
        );
      throw damaged(name, new Error(said));
    } finally {
      child.kill('SIGKILL');
      await ended;
      await input.close();
    }
  },
});

const bzip2 = byTool(
  'bzip2',
  ['-dc'],
  (head) =>
    /^BZh[1-9]$/.test(head.toString('latin1', 0, 4)) &&
    (head.subarray(4, 10).equals(bzip2Block) || head.subarray(4, 10).equals(bzip2End)),
);
const bzip2Block = Buffer.from('314159265359', 'hex');
const bzip2End = Buffer.from('177245385090', 'hex');
const xz = byTool(
  'xz',
  ['-dc', '-T1', `--memlimit-decompress=${windowBytes}`],
  beginsWith(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00),
);
const zstd = byTool(
  'zstd',
  ['-dcq', `--memory=${windowBytes}`, '--no-progress'],
  beginsWith(0x28, 0xb5, 0x2f, 0xfd),
);

export const compressions: readonly Compression[] = [gzip, bzip2, xz, zstd, zip];
export const compressionTools: readonly string[] = ['bzip2', 'xz', 'zstd'];
