import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type StagedKey,
  StagedMissing,
  type StagedReader,
  type StagedWriter,
  type Staging,
  StagingFull,
} from '../../domain/staging.ts';
import { namesOrRemoved } from '../files/empty-directories.ts';
import {
  inDirectory,
  isFull,
  isMissing,
  isUuid,
  makeDirectory,
  namesIn,
  type OpenFile,
  readFully,
  removeIfEmpty,
  sync,
  unlessMissing,
  writeFully,
} from '../files/files.ts';
import { type Room, reservedRoom } from '../files/room.ts';

/**
 * Staged uploads as files, readable by every process of the machine while they grow:
 *
 *     {directory}/{imageId}/{uploadId}      the watermark is the file's size
 *
 * Empty directories, left by a crash, go when all is listed. A reserve of the file system is left free. `openFile` and `room` are for fault tests.
 */
export function filesystemStaging(
  directory: string,
  openFile: OpenFile = open,
  room: Room = reservedRoom(directory),
): Staging {
  const imageDirectory = ({ imageId }: StagedKey): string => join(directory, imageId);
  const pathOf = (key: StagedKey): string => {
    if (!isUuid(key.imageId) || !isUuid(key.uploadId))
      throw new TypeError(`not a staged upload's name: ${key.imageId}/${key.uploadId}`);
    return join(imageDirectory(key), key.uploadId);
  };

  const remove = async (key: StagedKey): Promise<void> => {
    await unlessMissing(unlink(pathOf(key)));
    await removeIfEmpty(imageDirectory(key));
  };

  return {
    async create(key) {
      const path = pathOf(key);
      await fullMeansStagingFull(makeDirectory(directory, openFile));
      await fullMeansStagingFull(room.take(1));
      const file = await fullMeansStagingFull(
        inDirectory(imageDirectory(key), () => openFile(path, 'wx')),
      );
      return writer(file, room, {
        sync: async () => {
          await file.sync();
          await sync(imageDirectory(key), openFile);
          await sync(directory, openFile);
        },
        remove: () => remove(key),
      });
    },

    async open(key) {
      const path = pathOf(key);
      try {
        return reader(await openFile(path, 'r'), path);
      } catch (error) {
        if (isMissing(error)) throw new StagedMissing(key, error);
        throw error;
      }
    },

    remove,

    async *list() {
      for (const imageId of (await namesIn(directory)).filter(isUuid))
        for (const uploadId of (await namesOrRemoved(join(directory, imageId))).filter(isUuid))
          yield { imageId, uploadId };
    },
  };
}

function writer(
  file: FileHandle,
  room: Room,
  { sync, remove }: { sync: () => Promise<void>; remove: () => Promise<void> },
): StagedWriter {
  let size = 0;
  let failure: unknown;
  /** After one failure nothing that the page cache shows proves anything, so every later call fails too. */
  const attempt = async <T>(step: () => Promise<T>): Promise<T> => {
    if (failure !== undefined) throw failure;
    try {
      return await fullMeansStagingFull(step());
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  return {
    write: (chunks) =>
      attempt(async () => {
        await room.take(chunks.reduce((sum, { length }) => sum + length, 0));
        size += await writeFully(file, chunks, size);
      }),
    seal: () =>
      attempt(async () => {
        await sync();
        await file.close();
        return size;
      }),
    async abort() {
      failure ??= new Error('the staged upload was aborted');
      await file.close();
      await remove();
    },
  };
}

const reader = (file: FileHandle, path: string): StagedReader => ({
  path,
  watermark: async () => (await file.stat()).size,
  read: (into, offset) => readFully(file, into, offset),
  close: () => file.close(),
});

async function fullMeansStagingFull<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    throw isFull(error) ? new StagingFull(error) : error;
  }
}
