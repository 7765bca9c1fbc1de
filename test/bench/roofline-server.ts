import { once } from 'node:events';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** A piece of memory that the file and both digests read at the same time; free when all three are done with it. */
interface Block {
  readonly bytes: Uint8Array;
  readonly number: number;
  readers: number;
}

const blockBytes = 1024 * 1024;
const blockCount = 24;
const algorithms = ['md5', 'sha512'] as const;

const memory = new SharedArrayBuffer(blockBytes * blockCount);
const blocks = Array.from({ length: blockCount }, (_, number): Block => {
  return { bytes: new Uint8Array(memory, number * blockBytes, blockBytes), number, readers: 0 };
});
const free = [...blocks];
let onFree: (() => void) | undefined;

const release = (block: Block): void => {
  block.readers -= 1;
  if (block.readers > 0) return;
  free.push(block);
  onFree?.();
};

const digests = algorithms.map((algorithm) => {
  const worker = new Worker(new URL('./roofline-digest.js', import.meta.url), {
    workerData: { algorithm, memory, blockBytes },
  });
  let told: ((hex: string) => void) | undefined;
  worker.on('message', (done: number | string) => {
    if (typeof done === 'string') return told?.(done);
    const block = blocks[done];
    if (block !== undefined) release(block);
  });
  return {
    update: (block: Block, length: number) => worker.postMessage([block.number, length]),
    end: () =>
      new Promise<string>((resolve) => {
        told = resolve;
        worker.postMessage(undefined);
      }),
  };
});

/** A body of `size` bytes, into the file and both digests; resolves when all three have it, and the disk too. */
async function receive(socket: Socket, file: FileHandle, first: Buffer, size: number) {
  let writing: Promise<unknown> = Promise.resolve();
  let block = free.pop();
  let filled = 0;
  let left = size;
  const passOn = (full: Block, length: number): void => {
    full.readers = 1 + digests.length;
    for (const digest of digests) digest.update(full, length);
    writing = writing.then(() => file.write(full.bytes, 0, length)).then(() => release(full));
  };
  /** As much of it as there is room for; gives the rest. */
  const take = (piece: Buffer): Buffer => {
    let rest = piece;
    while (rest.length > 0) {
      block ??= free.pop();
      if (block === undefined) return rest;
      const part = rest.subarray(0, blockBytes - filled);
      block.bytes.set(part, filled);
      filled += part.length;
      left -= part.length;
      rest = rest.subarray(part.length);
      if (filled < blockBytes && left > 0) continue;
      passOn(block, filled);
      block = undefined;
      filled = 0;
    }
    return rest;
  };
  await new Promise<void>((resolve, reject) => {
    let rest: Buffer = Buffer.alloc(0);
    const taken = (piece: Buffer): void => {
      rest = take(piece);
      if (rest.length > 0) socket.pause();
      if (left === 0) resolve();
    };
    onFree = () => {
      if (rest.length === 0) return;
      taken(rest);
      if (rest.length === 0) socket.resume();
    };
    socket.on('data', taken).on('error', reject).on('close', reject);
    taken(first);
  });
  await Promise.all([...digests.map((digest) => digest.end()), writing]);
  await file.datasync();
}

/** One request on each connection, a PUT that tells its length. */
async function answer(socket: Socket): Promise<void> {
  const [begin]: Buffer[] = await once(socket, 'data');
  const end = begin?.indexOf('\r\n\r\n') ?? -1;
  const [, size] = /content-length: *(\d+)/i.exec(begin?.toString('latin1', 0, end) ?? '') ?? [];
  if (begin === undefined || size === undefined) throw new Error('a request that tells no length');
  socket.pause();
  const file = await open(path, 'w');
  socket.resume();
  await receive(socket, file, begin.subarray(end + 4), Number(size));
  await file.close();
  await rm(path);
  socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
}

const path = join(process.argv[2] ?? '', 'roofline');
const server = createServer((socket) => {
  answer(socket).catch((error: Error) => socket.destroy(error));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.((server.address() as AddressInfo).port);
process.once('disconnect', () => process.exit());
