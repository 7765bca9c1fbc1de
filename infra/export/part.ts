import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place } from '../../domain/export/place.ts';
import { writeWhole } from '../audit/targets/directory.ts';
import { sync, writeFully } from '../files/files.ts';
import { closedName, partName, sumName } from './file-names.ts';

/** A file of an export while it grows. */
export interface Part {
  readonly first: bigint;
  readonly openedAt: number;
  readonly bytes: number;
  readonly name: string;
  /** Adds lines that end with this place; durable when it resolves. */
  add(lines: Buffer, last: Place): Promise<void>;
  /** Closes it under the name of what is in it, its checksum beside it. */
  seal(): Promise<void>;
  close(): Promise<void>;
}

/** Whole lines, and the place that the last of them is of. */
export interface Begun {
  readonly lines: AsyncIterable<Buffer> | Iterable<Buffer>;
  readonly last: Place;
}

export async function beginPart(
  directory: string,
  { first, openedAt, begun }: { first: bigint; openedAt: number; begun?: Begun | undefined },
): Promise<Part> {
  const name = partName(first, openedAt);
  const path = join(directory, name);
  const file = await open(path, 'wx', 0o640);
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  let last: bigint | undefined;

  const write = async (lines: Buffer): Promise<void> => {
    await writeFully(file, [lines], bytes);
    hash.update(lines);
    bytes += lines.length;
  };
  await copied(file, path, async () => {
    for await (const lines of begun?.lines ?? []) await write(lines);
    last = begun?.last.position;
    await file.sync();
    await sync(directory);
  });

  return {
    ...{ first, openedAt, name },
    get bytes() {
      return bytes;
    },
    async add(lines, { position }) {
      await write(lines);
      await file.datasync();
      last = position;
    },
    async seal() {
      await file.sync();
      await file.close();
      const whole = closedName(first, last ?? first);
      await writeWhole(join(directory, sumName(whole)), `${hash.digest('hex')}  ${whole}\n`);
      await rename(path, join(directory, whole));
      await sync(directory);
    },
    close: () => file.close(),
  };
}

/** A copy that cannot be made is not left to be found. */
async function copied(file: FileHandle, path: string, copy: () => Promise<void>): Promise<void> {
  try {
    await copy();
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}
