import { Unsafe } from './unsafe.ts';

/** Numbers and text at fixed places of a header. Reading past its end, or a number too large to be exact, is `Unsafe`. */
export interface Fields {
  u8(at: number): number;
  u16(at: number): number;
  u32(at: number): number;
  /** At most `Number.MAX_SAFE_INTEGER`, which is more bytes than any disk has. */
  u64(at: number): number;
  /** All 64 bits, for flags and sentinels. */
  bits64(at: number): bigint;
  /** One character for each byte. */
  text(at: number, length: number): string;
  /** Lowercase hex, two digits for each byte, in file order. */
  hex(at: number, length: number): string;
  isZero(at: number, length: number): boolean;
}

/** `what` names the structure in refusals, for example "the qcow2 header". */
export function fields(bytes: Uint8Array, order: 'little' | 'big', what: string): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = order === 'little';

  const within = (at: number, length: number): number => {
    if (at + length <= bytes.length) return at;
    throw new Unsafe(`The image ends inside ${what}: upload it whole.`);
  };
  const slice = (at: number, length: number) => bytes.subarray(within(at, length), at + length);
  const bits64 = (at: number) => view.getBigUint64(within(at, 8), little);

  return {
    u8: (at) => view.getUint8(within(at, 1)),
    u16: (at) => view.getUint16(within(at, 2), little),
    u32: (at) => view.getUint32(within(at, 4), little),
    u64(at) {
      const value = bits64(at);
      if (value <= Number.MAX_SAFE_INTEGER) return Number(value);
      throw new Unsafe(
        `The image is damaged: ${what} holds ${value} at byte ${at}, beyond the end of any disk.`,
      );
    },
    bits64,
    text: (at, length) => latin1(slice(at, length)),
    hex: (at, length) =>
      Array.from(slice(at, length), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    isZero: (at, length) => slice(at, length).every((byte) => byte === 0),
  };
}

const decoder = new TextDecoder('latin1');

/** One character for each byte; bytes below 128 are ASCII. */
export const latin1 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Whether the bytes at `at` spell `text`; false where they end first. */
export const spells = (bytes: Uint8Array, at: number, text: string): boolean =>
  latin1(bytes.subarray(at, at + text.length)) === text;
