import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StagedReader } from '../../domain/staging.ts';
import {
  ObjectExists,
  ObjectMissing,
  type Store,
  StoreFull,
  StoreUnavailable,
} from '../../domain/store.ts';
import { namesOrRemoved } from '../files/empty-directories.ts';
import {
  errorCode,
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

export const copyBytes = 1024 * 1024;

/**
 * A store of files, one per attempt:
 *
 *     {directory}/{imageId}/{uploadId}/{epoch}               whole and durable
 *     {directory}/{imageId}/{uploadId}/{epoch}.part-{uuid}   a copy on its way, or left by a crash
 *
 * `list` names a key of which only a part is there, too: the log judges both alike, and `remove` takes both. Empty
 * directories, left by a crash, go when all is listed. Copies leave a reserve of the file system free.
 */
export function filesystemStore(
  directory: string,
  openFile: OpenFile = open,
  room: Room = reservedRoom(directory),
): Store {
  const pathOf = (key: string): string => {
    if (!isKey(key)) throw new TypeError(`not a stored object's key: ${key}`);
    return join(directory, key);
  };

  const makeDurable = async (path: string): Promise<void> => {
    await sync(path, openFile);
    for (let at = dirname(path); at.length >= directory.length; at = dirname(at))
      await sync(at, openFile);
  };

  return {
    async promote(staged, key, size, signal) {
      const path = pathOf(key);
      try {
        await makeDirectory(directory, openFile);
        await putOnce(staged, path, size, signal, openFile, room);
        try {
          await makeDurable(path);
        } catch (error) {
          await unlessMissing(unlink(path));
          throw error;
        }
      } catch (error) {
        if (signal.aborted && error === signal.reason) throw error;
        if (errorCode(error) === 'EEXIST') throw new ObjectExists(key);
        if (isFull(error)) throw new StoreFull(error);
        throw new StoreUnavailable(`the store cannot take ${key}`, error);
      }
    },

    async open(key) {
      const path = pathOf(key);
      try {
        const file = await openFile(path, 'r');
        const { size } = await file.stat();
        return {
          size,
          async read(into, offset) {
            try {
              return await readFully(file, into, offset);
            } catch (error) {
              throw new StoreUnavailable(`the store cannot give all of ${key}`, error);
            }
          },
          close: () => file.close(),
        };
      } catch (error) {
        if (isMissing(error)) throw new ObjectMissing(key, error);
        throw new StoreUnavailable(`the store cannot give ${key}`, error);
      }
    },

    async remove(key) {
      const path = pathOf(key);
      const parent = dirname(path);
      const [, , epoch = ''] = key.split('/');
      for (const name of await namesIn(parent))
        if (epochOf(name) === epoch) await unlessMissing(unlink(join(parent, name)));
      for (let at = parent; at.length > directory.length; at = dirname(at))
        if (!(await removeIfEmpty(at))) return;
    },

    async *list() {
      for (const imageId of (await namesIn(directory)).filter(isUuid))
        for (const uploadId of (await namesOrRemoved(join(directory, imageId))).filter(isUuid)) {
          const names = await namesOrRemoved(join(directory, imageId, uploadId));
          for (const epoch of new Set(names.map(epochOf)))
            if (epoch !== undefined) yield `${imageId}/${uploadId}/${epoch}`;
        }
    },
  };
}

/** A second name for the staged file where the file system can give one, else a copy; never over what is there. */
async function putOnce(
  staged: StagedReader,
  path: string,
  size: number,
  signal: AbortSignal,
  openFile: OpenFile,
  room: Room,
): Promise<void> {
  const available = await staged.watermark();
  if (available < size) throw new Error(`only ${available} of ${size} bytes are staged`);
  if (staged.path !== null && available === size && (await linked(staged.path, path))) return;
  const part = `${path}.part-${randomUUID()}`;
  try {
    const target = await inDirectory(dirname(path), () => openFile(part, 'wx'));
    try {
      await copy(staged, target, size, signal, room);
      await target.sync();
    } finally {
      await target.close();
    }
    await link(part, path);
  } finally {
    await unlessMissing(unlink(part));
  }
}

/** False where this pair of places allows no hard link, or the staged name is gone. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await inDirectory(dirname(to), () => link(from, to));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST' || isFull(error)) throw error;
    return false;
  }
}

async function copy(
  staged: StagedReader,
  target: FileHandle,
  size: number,
  signal: AbortSignal,
  room: Room,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(copyBytes, Math.max(size, 1)));
  for (let done = 0; done < size; ) {
    signal.throwIfAborted();
    const wanted = buffer.subarray(0, Math.min(buffer.length, size - done));
    const count = await staged.read(wanted, done);
    if (count === 0) throw new Error(`the staged bytes end at ${done} of ${size}`);
    await room.take(count);
    done += await writeFully(target, [wanted.subarray(0, count)], done);
  }
}

const epochOf = (name: string): string | undefined => /^([1-9][0-9]*)(\.part-.+)?$/.exec(name)?.[1];

function isKey(key: string): boolean {
  const [imageId = '', uploadId = '', epoch = '', ...rest] = key.split('/');
  return rest.length === 0 && isUuid(imageId) && isUuid(uploadId) && /^[1-9][0-9]*$/.test(epoch);
}
