import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
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
const free: Block[] = Array.from({ length: blockCount }, (_, number) => ({
  bytes: new Uint8Array(memory, number * blockBytes, blockBytes),
  number,
  readers: 0,
}));
const blocks = [...free];
let wanted: (() => void) | undefined;
const release = (block: Block): void => {
  block.readers -= 1;
  if (block.readers > 0) return;
  free.push(block);
  wanted?.();
};
const freeBlock = async (): Promise<Block> => {
  for (;;) {
    const block = free.pop();
    if (block !== undefined) return block;
    await new Promise<void>((resolve) => {
      wanted = resolve;
    });
  }
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

async function receive(request: IncomingMessage, path: string): Promise<void> {
  const file = await open(path, 'w');
  let writing: Promise<unknown> = Promise.resolve();
  const passOn = (block: Block, length: number): void => {
    block.readers = 1 + digests.length;
    for (const digest of digests) digest.update(block, length);
    writing = writing.then(() => file.write(block.bytes, 0, length)).then(() => release(block));
  };
  let block = await freeBlock();
  let filled = 0;
  for await (const piece of request as AsyncIterable<Buffer>)
    for (let taken = 0; taken < piece.length; ) {
      const part = piece.subarray(taken, taken + blockBytes - filled);
      block.bytes.set(part, filled);
      filled += part.length;
      taken += part.length;
      if (filled < blockBytes) continue;
      passOn(block, filled);
      block = await freeBlock();
      filled = 0;
    }
  passOn(block, filled);
  await Promise.all([
    ...digests.map((digest) => digest.end()),
    writing.then(() => file.datasync()),
  ]);
  await file.close();
}

const path = join(process.argv[2] ?? '', 'roofline');
const server = createServer({ highWaterMark: blockBytes }, (request, response) => {
  receive(request, path)
    .then(() => rm(path))
    .then(() => response.end())
    .catch((error) => response.destroy(error));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.((server.address() as AddressInfo).port);
process.once('disconnect', () => process.exit());
