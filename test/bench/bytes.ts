import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Daguerre } from '../support/daguerre.ts';
import { drained, type Send, sender, textOf } from './load.ts';

export interface ByteRates {
  /** MB/s (10^6 bytes) from the first byte sent to the answer, which says that the image is active. */
  readonly upload: number;
  readonly download: number;
  /** What md5, the slowest digest, alone does on one thread here, MB/s. */
  readonly md5: number;
  /** Growth of gateway and worker together over what they had before the upload, at its highest, MiB. */
  readonly memory: number;
}

const mebibyte = 1024 * 1024;
let content: Buffer | undefined;
const sampleMs = 20;

/** One image of `size` bytes in and out, after a small one that warms everything up. */
export async function measureBytes(daguerre: Daguerre, size: number): Promise<ByteRates> {
  const { send, download, close } = sender(daguerre.url, 2);
  try {
    await upload(send, 16 * mebibyte);
    const idle = memoryOf(daguerre);
    let highest = idle;
    const sampling = setInterval(() => {
      highest = Math.max(highest, memoryOf(daguerre));
    }, sampleMs);
    const began = performance.now();
    const id = await upload(send, size).finally(() => clearInterval(sampling));
    const uploaded = performance.now();
    const read = await download(`/v2/images/${id}/file`);
    const downloaded = performance.now();
    if (read !== size) throw new Error(`${read} bytes came back of ${size}`);
    return {
      upload: perSecond(size, uploaded - began),
      download: perSecond(size, downloaded - uploaded),
      md5: md5Alone(size),
      memory: (highest - idle) / 1024,
    };
  } finally {
    close();
  }
}

/** An image of so many bytes, made and filled; resolves with its id when it is active. */
export async function upload(send: Send, size: number): Promise<string> {
  const image = JSON.stringify({ disk_format: 'raw', container_format: 'bare' });
  const created = await send(201, 'POST', '/v2/images', image);
  const { id } = JSON.parse(await textOf(created));
  const headers = { 'content-type': 'application/octet-stream', 'content-length': size };
  const body = async (sink: NodeJS.WritableStream): Promise<void> => {
    for (const piece of pieces(size)) if (!sink.write(piece)) await once(sink, 'drain');
  };
  await drained(await send(204, 'PUT', `/v2/images/${id}/file`, body, headers));
  return id;
}

export function* pieces(size: number): Generator<Buffer> {
  content ??= madeUp();
  const block = content;
  for (let sent = 0; sent < size; sent += mebibyte) {
    const begin = sent % block.length;
    yield block.subarray(begin, begin + Math.min(mebibyte, size - sent));
  }
}

function madeUp(): Buffer {
  const block = randomFillSync(Buffer.alloc(64 * mebibyte));
  // Not by chance a boot sector.
  return block.fill('image ', 0, 4096);
}

function md5Alone(size: number): number {
  const hash = createHash('md5');
  const began = performance.now();
  for (const piece of pieces(size)) hash.update(piece);
  hash.digest();
  return perSecond(size, performance.now() - began);
}

const perSecond = (bytes: number, ms: number): number => bytes / 1000 / ms;

/** Resident KiB of gateway and worker. */
function memoryOf(daguerre: Daguerre): number {
  const { gateway, worker } = daguerre.parts();
  return [gateway, worker].reduce((sum: number, pid) => {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(statusOf(pid)) ?? [];
    return sum + Number(kibibytes);
  }, 0);
}

const statusOf = (pid: number | undefined): string => readFileSync(`/proc/${pid}/status`, 'utf8');
