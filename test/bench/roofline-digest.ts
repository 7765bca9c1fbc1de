import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

const { algorithm, memory, blockBytes } = workerData as {
  readonly algorithm: string;
  readonly memory: SharedArrayBuffer;
  readonly blockBytes: number;
};

let hash = createHash(algorithm);

/** A block's number and how much of it counts, told back when done with; or the end, told back as the digest. */
parentPort?.on('message', (message: readonly [number, number] | undefined) => {
  if (message === undefined) {
    parentPort?.postMessage(hash.digest('hex'));
    hash = createHash(algorithm);
    return;
  }
  const [number, length] = message;
  hash.update(new Uint8Array(memory, number * blockBytes, length));
  parentPort?.postMessage(number);
});
