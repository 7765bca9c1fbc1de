import { Unsafe } from './unsafe.ts';

/**
 * What an inspection asks of its driver. `bytes`: those at [offset, offset + length), fewer only where the object ends,
 * none beyond it. `size`: the object's final size, so it can only be answered once the last byte is there.
 */
export type ByteRequest =
  | { readonly kind: 'bytes'; readonly offset: number; readonly length: number }
  | { readonly kind: 'size' };

/** A `Uint8Array` for `bytes`, a number for `size`. The inspection may keep views of the array: give it one of its own. */
export type ByteAnswer = Uint8Array | number;

/** A computation over an object's bytes that leaves the reading to whoever drives it. Asks near the start first, for the size last. */
export type Inspecting<T> = Generator<ByteRequest, T, ByteAnswer>;

/** No request is longer, whatever the object says. */
export const maxRequestBytes = 1024 * 1024;

/** No inspection asks more often, whatever the object says. */
export const maxRequests = 12;

export function* bytesUpTo(offset: number, length: number): Inspecting<Uint8Array> {
  const answer = yield { kind: 'bytes', offset, length };
  if (!(answer instanceof Uint8Array)) throw new TypeError('asked for bytes, was given a size');
  return answer;
}

/** Refuses an object that ends before `length` bytes of `what`. */
export function* bytesExactly(
  offset: number,
  length: number,
  what: string,
): Inspecting<Uint8Array> {
  const bytes = yield* bytesUpTo(offset, length);
  if (bytes.length < length)
    throw new Unsafe(`The image ends before the end of ${what}: upload it whole.`);
  return bytes;
}

/** In bytes. */
export function* finalSize(): Inspecting<number> {
  const answer = yield { kind: 'size' };
  if (typeof answer !== 'number') throw new TypeError('asked for the size, was given bytes');
  return answer;
}

/** Refuses a structure of `length` bytes at `offset` that does not lie wholly within the object. */
export function requireWithin(size: number, offset: number, length: number, what: string): void {
  if (offset + length > size) {
    throw new Unsafe(
      `The image has ${size} bytes, but places ${what} at ${offset} to ${offset + length}: upload it whole.`,
    );
  }
}
