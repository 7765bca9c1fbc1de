import type { ByteRequest } from '../../domain/inspection/asking.ts';
import { type Declared, inspect, type Verdict } from '../../domain/inspection/inspect.ts';

/** An object that can be read at any offset, without being copied whole. */
export interface Readable {
  readonly size: number;
  /** A copy of [offset, offset + length), short at the object's end. */
  read(offset: number, length: number): Uint8Array;
}

export interface Run {
  readonly verdict: Verdict;
  readonly requests: readonly ByteRequest[];
}

export const inMemory = (bytes: Uint8Array): Readable => ({
  size: bytes.length,
  read: (offset, length) => new Uint8Array(bytes.subarray(offset, offset + length)),
});

/** Drives an inspection over a complete object. More than `maxRequests` and it stops, so a loop fails rather than hangs. */
export function runInspection(object: Readable, declared: Declared, maxRequests = 1000): Run {
  const inspection = inspect(declared);
  const requests: ByteRequest[] = [];
  let step = inspection.next();
  while (!step.done) {
    const request = step.value;
    requests.push(request);
    if (requests.length > maxRequests) throw new Error(`asked more than ${maxRequests} times`);
    step = inspection.next(
      request.kind === 'size' ? object.size : object.read(request.offset, request.length),
    );
  }
  return { verdict: step.value, requests };
}

/** The verdict on bytes in a `bare` container. */
export const judge = (bytes: Uint8Array, diskFormat: string): Verdict =>
  runInspection(inMemory(bytes), { diskFormat, containerFormat: 'bare' }).verdict;
