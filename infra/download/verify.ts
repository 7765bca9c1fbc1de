import { createHash } from 'node:crypto';
import type { PartialObject } from '../../domain/staging.ts';
import type { DigestThreads } from '../digests/digest-threads.ts';

type Digests = Readonly<Record<string, string>>;

const sliceBytes = 1024 * 1024;

/** Digests of the first `size` bytes: by threads that read the file, where it is one. */
export async function digestsOf(
  into: PartialObject,
  size: number,
  algorithms: readonly string[],
  threads: DigestThreads,
  signal: AbortSignal,
): Promise<Digests> {
  if (algorithms.length === 0) return {};
  if (into.path === null) return hashed(into, size, algorithms);
  const digesting = threads.follow(into.path, algorithms);
  const stop = (): void => digesting.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await digesting.finish(size);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function hashed(into: PartialObject, size: number, algorithms: readonly string[]) {
  const hashes = algorithms.map((algorithm) => [algorithm, createHash(algorithm)] as const);
  const slice = new Uint8Array(sliceBytes);
  for (let at = 0; at < size; ) {
    const count = await into.read(slice.subarray(0, Math.min(sliceBytes, size - at)), at);
    if (count === 0) throw new Error(`the bytes end at ${at} of ${size}`);
    for (const [, hash] of hashes) hash.update(slice.subarray(0, count));
    at += count;
  }
  return Object.fromEntries(hashes.map(([algorithm, hash]) => [algorithm, hash.digest('hex')]));
}
