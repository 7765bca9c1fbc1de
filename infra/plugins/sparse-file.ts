import { open } from 'node:fs/promises';
import { writeFully } from '../files/files.ts';
import type { Room } from '../files/room.ts';
import { fullMeansStagingFull } from '../staging/full.ts';

const zeros = Buffer.alloc(1024 * 1024);

/**
 * Writes chunks to a new file, those of zeros as holes; gives the size. `grow` is asked before the file has so many bytes,
 * and what it throws ends it. Rejects with `StagingFull`.
 */
export async function writeSparse(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  room: Room,
  grow: (bytes: number) => void,
): Promise<number> {
  const file = await fullMeansStagingFull(open(path, 'wx'));
  try {
    let size = 0;
    for await (const chunk of chunks) {
      grow(size + chunk.length);
      if (!isZero(chunk)) {
        await fullMeansStagingFull(room.take(chunk.length));
        await fullMeansStagingFull(writeFully(file, [chunk], size));
      }
      size += chunk.length;
    }
    await fullMeansStagingFull(file.truncate(size));
    return size;
  } finally {
    await file.close();
  }
}

const isZero = (chunk: Uint8Array): boolean =>
  chunk.length <= zeros.length && zeros.subarray(0, chunk.length).equals(chunk);
