import { setTimeout as delay } from 'node:timers/promises';
import { type ByteRequest, maxRequestBytes, maxRequests } from '../../domain/inspection/asking.ts';
import { type Declared, inspect, type Verdict } from '../../domain/inspection/inspect.ts';
import type { StagedReader } from '../../domain/staging.ts';
import { orAborted } from './or-aborted.ts';

const shortestPollMs = 5;
const longestPollMs = 100;

/**
 * Inspects a staged object while it grows: bytes are given as soon as they are below the watermark, and its end and
 * size only once `size` has resolved. Rejects with the signal's reason, or when the object cannot be read.
 */
export async function inspectStaged(
  reader: StagedReader,
  declared: Declared,
  size: Promise<number>,
  signal: AbortSignal,
): Promise<Verdict> {
  const inspecting = inspect(declared);
  let step = inspecting.next();
  for (let requests = 1; step.done !== true; requests++) {
    if (requests > maxRequests)
      throw new RangeError(`an inspection asked more than ${maxRequests} times`);
    const answer =
      step.value.kind === 'size'
        ? await orAborted(size, signal)
        : await bytes(reader, step.value, size, signal);
    step = inspecting.next(answer);
  }
  return step.value;
}

async function bytes(
  reader: StagedReader,
  { offset, length }: ByteRequest & { kind: 'bytes' },
  size: Promise<number>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (length > maxRequestBytes) throw new RangeError(`an inspection asked for ${length} bytes`);
  const wanted = offset + length;
  const reached = waitForWatermark(reader, wanted, signal);
  // Whichever comes first; a size that is known means that every byte is there.
  const end = await Promise.race([reached.promise, orAborted(size, signal)]).finally(reached.stop);
  const into = new Uint8Array(Math.max(0, Math.min(wanted, end) - offset));
  const count = await reader.read(into, offset);
  if (count < into.length) throw new Error(`the staged bytes end at ${offset + count} of ${end}`);
  return into;
}

function waitForWatermark(
  reader: StagedReader,
  wanted: number,
  signal: AbortSignal,
): { promise: Promise<number>; stop: () => void } {
  const stop = new AbortController();
  const ended = AbortSignal.any([stop.signal, signal]);
  const wait = async (): Promise<number> => {
    for (let pollMs = shortestPollMs; ; pollMs = Math.min(2 * pollMs, longestPollMs)) {
      ended.throwIfAborted();
      if ((await reader.watermark()) >= wanted) return wanted;
      await delay(pollMs, undefined, { signal: ended });
    }
  };
  const promise = wait();
  promise.catch(() => {});
  return { promise, stop: () => stop.abort() };
}
