import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type PartialObject,
  type StagedKey,
  StagedMissing,
  type StagedReader,
  type StagedWriter,
  type Staging,
} from '../../domain/staging.ts';
import { namesOrRemoved } from '../files/empty-directories.ts';
import {
  inDirectory,
  isMissing,
  isUuid,
  makeDirectory,
  namesIn,
  type OpenFile,
  readFully,
  removeIfEmpty,
  sync,
  writeFully,
} from '../files/files.ts';
import { type Room, reservedRoom } from '../files/room.ts';
import { belongsTo, isPartial, partialWatermark } from './checkpoint-file.ts';
import { fullMeansStagingFull } from './full.ts';
import { openPartial } from './partial.ts';

/**
 * Staged uploads as files, readable by every process of the machine while they grow:
 *
 *     {directory}/{imageId}/{uploadId}          the watermark is the file's size
 *     {directory}/{imageId}/{uploadId}.parts    of a partial object, its newest checkpoint, which says the watermark
 *     {directory}/{imageId}/{uploadId}.parts.work-{uuid}  what is made of it, in a directory
 *     {directory}/{imageId}/{uploadId}.parts.*  what will be one of the two in a moment, or was left by a crash
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
    pathOf(key);
    // The bytes first: without their checkpoint they would look whole.
    const names = await namesIn(imageDirectory(key));
    for (const name of names
      .filter((one) => belongsTo(key.uploadId, one))
      .sort()
      .reverse())
      await rm(join(imageDirectory(key), name), { recursive: true, force: true });
    await removeIfEmpty(imageDirectory(key));
  };

  /** Who of this process has which partial object. */
  const holders = new Map<string, Promise<PartialObject>>();
  const take = async (key: StagedKey, holder: Promise<PartialObject> | undefined) => {
    await (await holder?.catch(() => undefined))?.close();
    await fullMeansStagingFull(makeDirectory(directory, openFile));
    await fullMeansStagingFull(room.take(1));
    const directories = [imageDirectory(key), directory];
    return fullMeansStagingFull(
      openPartial({ key, path: pathOf(key), directories, openFile, room }),
    );
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

    async resume(key) {
      const path = pathOf(key);
      const taken = take(key, holders.get(path));
      holders.set(path, taken);
      const forget = (): void => {
        if (holders.get(path) === taken) holders.delete(path);
      };
      const object = await taken.catch((error) => {
        forget();
        throw error;
      });
      return { ...object, close: () => object.close().finally(forget) };
    },

    async open(key) {
      const path = pathOf(key);
      try {
        const file = await openFile(path, 'r');
        return reader(file, path, await isPartial(path));
      } catch (error) {
        if (isMissing(error)) throw new StagedMissing(key, error);
        throw error;
      }
    },

    async workspace(key) {
      const path = pathOf(key);
      const isOld = (name: string): boolean => name.startsWith(`${key.uploadId}${workspaceEnding}`);
      for (const name of (await namesIn(imageDirectory(key))).filter(isOld))
        await rm(join(imageDirectory(key), name), { recursive: true, force: true });
      const directory = path + workspaceEnding + randomUUID();
      await fullMeansStagingFull(inDirectory(imageDirectory(key), () => mkdir(directory)));
      return directory;
    },

    remove,

    async *list() {
      for (const imageId of (await namesIn(directory)).filter(isUuid))
        for (const uploadId of uploadsOf(await namesOrRemoved(join(directory, imageId))))
          yield { imageId, uploadId };
    },
  };
}

const uuidLength = 36;
const workspaceEnding = '.parts.work-';

/** A whole file that lies in a workspace, read as if it were staged. */
export async function madeFile(path: string): Promise<StagedReader> {
  return reader(await open(path, 'r'), path, false);
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

const uploadsOf = (names: readonly string[]): ReadonlySet<string> =>
  new Set(
    names
      .map((name) => name.slice(0, uuidLength))
      .filter((id, index) => isUuid(id) && belongsTo(id, names[index] ?? '')),
  );

const reader = (file: FileHandle, path: string, isPartial: boolean): StagedReader => ({
  path,
  watermark: async () => (isPartial ? partialWatermark(path, file) : (await file.stat()).size),
  read: (into, offset) => readFully(file, into, offset),
  close: () => file.close(),
});
