import { randomUUID } from 'node:crypto';

/**
 * Names in a directory of an export, in the order of positions:
 *
 *     00000000000000000001-00000000000000000512.ndjson          closed: from the first to the last position in it
 *     00000000000000000001-00000000000000000512.ndjson.sha256   its checksum, as `sha256sum -c` reads it; there before it
 *     00000000000000000513-1795441000123-{uuid}.part            being written, since that millisecond, by one turn
 */
export interface ClosedFile {
  readonly name: string;
  readonly first: bigint;
  readonly last: bigint;
}

export interface PartFile {
  readonly name: string;
  readonly first: bigint;
  readonly openedAt: number;
}

const digits = 20;
const padded = (position: bigint): string => String(position).padStart(digits, '0');

export const closedName = (first: bigint, last: bigint): string =>
  `${padded(first)}-${padded(last)}.ndjson`;
export const sumName = (name: string): string => `${name}.sha256`;
export const partName = (first: bigint, openedAt: number): string =>
  `${padded(first)}-${openedAt}-${randomUUID()}.part`;

const closed = /^(\d{20})-(\d{20})\.ndjson$/;
const part = /^(\d{20})-(\d+)-[0-9a-f-]{36}\.part$/;

export const closedFiles = (names: readonly string[]): readonly ClosedFile[] =>
  names
    .flatMap((name) => {
      const [, first, last] = closed.exec(name) ?? [];
      return first === undefined || last === undefined
        ? []
        : [{ name, first: BigInt(first), last: BigInt(last) }];
    })
    .sort((one, other) => (one.last < other.last ? -1 : 1));

export const partFiles = (names: readonly string[]): readonly PartFile[] =>
  names.flatMap((name) => {
    const [, first, openedAt] = part.exec(name) ?? [];
    return first === undefined ? [] : [{ name, first: BigInt(first), openedAt: Number(openedAt) }];
  });

/** Checksums that were written for a file which was never closed under that name. */
export const strayLeft = (names: readonly string[], first: bigint): readonly string[] =>
  names.filter(
    (name) =>
      name.startsWith(`${padded(first)}-`) &&
      name.endsWith('.ndjson.sha256') &&
      !names.includes(name.slice(0, -'.sha256'.length)),
  );
