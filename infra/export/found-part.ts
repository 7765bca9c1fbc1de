import { createReadStream } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Place, placeIn } from '../../domain/export/place.ts';
import { isMissing, makeDirectory, namesIn, sync } from '../files/files.ts';
import type { Reach } from './cursors.ts';
import { type ClosedFile, closedFiles, type PartFile, partFiles, strayLeft } from './file-names.ts';
import { beginPart, type Part } from './part.ts';

/** What a directory of an export holds: up to where, and the file that goes on. */
export interface Found {
  readonly last: Reach | undefined;
  readonly part: Part | undefined;
}

const newline = 10;

/**
 * Takes a directory over. The file that was being written is copied, as far as its lines are whole, and then removed:
 * whoever wrote it and lives on after all writes where nobody looks, and can close nothing. Where it was closed at this
 * very moment, the look begins anew.
 */
export async function takeOver(directory: string): Promise<Found> {
  await makeDirectory(directory);
  for (;;) {
    const names = await namesIn(directory);
    const closed = closedFiles(names).at(-1);
    const parts = partFiles(names);
    const longest = await longestOf(directory, parts);
    if (longest === undefined || longest.last.position <= (closed?.last ?? 0n)) {
      for (const { name } of parts) await rm(join(directory, name), { force: true });
      return { last: closed && (await reachOf(directory, closed)), part: undefined };
    }
    const { file, last, bytes } = longest;
    const part = await beginPart(directory, {
      first: file.first,
      openedAt: file.openedAt,
      begun: {
        lines: createReadStream(join(directory, file.name), { end: bytes - 1 }),
        last,
      },
    });
    if (await isRemoved(join(directory, file.name))) {
      for (const { name } of parts) await rm(join(directory, name), { force: true });
      for (const name of strayLeft(names, file.first)) await rm(join(directory, name));
      await sync(directory);
      return { last, part };
    }
    await part.close();
    await rm(join(directory, part.name), { force: true });
  }
}

async function isRemoved(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

interface Whole {
  readonly file: PartFile;
  readonly last: Place;
  readonly bytes: number;
}

/** Several are copies that were not finished, of the one that has most. */
async function longestOf(
  directory: string,
  parts: readonly PartFile[],
): Promise<Whole | undefined> {
  const whole: Whole[] = [];
  for (const file of parts) {
    const { last, bytes } = await wholeLines(join(directory, file.name));
    if (last !== undefined) whole.push({ file, last, bytes });
  }
  return whole.sort((one, other) => (one.last.position > other.last.position ? -1 : 1))[0];
}

/** How far a file is made of our documents, line by line, in their order. */
export async function wholeLines(
  path: string,
): Promise<{ readonly last: Place | undefined; readonly bytes: number }> {
  let last: Place | undefined;
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        const place = placeOf(rest.subarray(0, end));
        if (place === undefined || place.position <= (last?.position ?? 0n)) return { last, bytes };
        last = place;
        bytes += end + 1;
        rest = rest.subarray(end + 1);
      }
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return { last, bytes };
}

function placeOf(line: Buffer): Place | undefined {
  try {
    return placeIn(JSON.parse(line.toString()));
  } catch {
    return undefined;
  }
}

/** Of a closed file, whose name says up to where it goes. */
async function reachOf(directory: string, { name, last: position }: ClosedFile): Promise<Reach> {
  const { last } = await wholeLines(join(directory, name));
  return { position, eventId: last?.position === position ? last.eventId : null };
}
