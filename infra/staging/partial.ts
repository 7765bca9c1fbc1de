import { constants } from 'node:fs';
import { copyFile, type FileHandle, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gaps, withExtent } from '../../domain/extents.ts';
import {
  type Checkpointed,
  type PartialObject,
  type StagedKey,
  StagedMissing,
} from '../../domain/staging.ts';
import {
  inDirectory,
  type OpenFile,
  readFully,
  sync,
  unlessMissing,
  writeFully,
} from '../files/files.ts';
import { isGone, ownMark, type ProcessMark } from '../files/process-mark.ts';
import type { Room } from '../files/room.ts';
import {
  type CheckpointFile,
  inodeOf,
  prepareCheckpoint,
  readCheckpoint,
  spareName,
} from './checkpoint-file.ts';
import { fullMeansStagingFull } from './full.ts';

/** Where a partial object lies, and by what means. */
export interface Place {
  readonly key: StagedKey;
  readonly path: string;
  /** Directories whose entries have to be durable for the object to be found again. */
  readonly directories: readonly string[];
  readonly openFile: OpenFile;
  readonly room: Room;
}

const nothing: Checkpointed = { note: null, written: [], sealed: null };

/**
 * Opens or makes a partial object: a file with holes, and beside it a checkpoint that names the file's inode.
 *
 * A writer that was given up for dead may only be stopped, and go on some day. So bytes that a checkpoint tells of are
 * never written again in the same file, and whoever takes over from a writer that may still live takes a copy: that
 * writer goes on in a file without a name, and a checkpoint of its is none, for it names another inode.
 */
export async function openPartial(place: Place): Promise<PartialObject> {
  const { path, openFile } = place;
  const writer = await ownMark();
  const found = await readCheckpoint(path);
  const known = found !== undefined && found.inode === (await inodeAt(path)) ? found : undefined;
  if (known === undefined) return held(place, await emptyFile(place, writer), writer, nothing);
  const { state } = known;
  if (state.sealed !== null) return held(place, await openFile(path, 'r'), writer, state);
  const file = (await isOver(known.writer))
    ? await sameFile(place, writer, state)
    : await copiedFile(place, writer, state);
  return held(place, file, writer, state);
}

const isOver = async (writer: ProcessMark | null): Promise<boolean> =>
  writer === null || (await isGone(writer));

const inodeAt = async (path: string): Promise<string | undefined> =>
  (await unlessMissing(stat(path, { bigint: true })))?.ino.toString();

/** From now on this process is the writer: said before it writes. What says of no bytes need not be durable. */
async function announce(
  { path, openFile }: Place,
  file: FileHandle,
  writer: ProcessMark | null,
  state: Checkpointed,
): Promise<void> {
  const checkpoint = { inode: await inodeOf(file), writer, state };
  const prepared = await prepareCheckpoint(path, checkpoint, openFile, state.written.length > 0);
  await prepared.place();
}

async function sameFile(
  place: Place,
  writer: ProcessMark | null,
  state: Checkpointed,
): Promise<FileHandle> {
  const file = await place.openFile(place.path, 'r+');
  return orClosed(file, () => announce(place, file, writer, state));
}

/** An empty file in the place of whatever there is. */
async function emptyFile(place: Place, writer: ProcessMark | null): Promise<FileHandle> {
  const spare = spareName(place.path);
  const file = await inDirectory(dirname(place.path), () => place.openFile(spare, 'wx+'));
  return orClosed(file, async () => {
    await announce(place, file, writer, nothing);
    await rename(spare, place.path);
  });
}

/** The same bytes in a file of their own, in the place of the one that they were in. */
async function copiedFile(
  place: Place,
  writer: ProcessMark | null,
  state: Checkpointed,
): Promise<FileHandle> {
  const spare = spareName(place.path);
  await fullMeansStagingFull(copyFile(place.path, spare, constants.COPYFILE_FICLONE));
  const file = await place.openFile(spare, 'r+');
  return orClosed(file, async () => {
    await file.sync();
    await announce(place, file, writer, state);
    await rename(spare, place.path);
  });
}

async function orClosed(file: FileHandle, step: () => Promise<void>): Promise<FileHandle> {
  try {
    await step();
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function held(
  place: Place,
  opened: FileHandle,
  writer: ProcessMark | null,
  initial: Checkpointed,
): PartialObject {
  const { key, path, openFile, room } = place;
  let file = opened;
  let state = initial;
  let failure: unknown;
  /** What is in a checkpoint; the rest is written, but may be lost. */
  let checkpointed: Checkpointed = initial;
  const underWay = new Set<Promise<unknown>>();
  let saving: Promise<unknown> = Promise.resolve();

  /** Counted, so that `close` leaves nothing behind that still writes. */
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (failure !== undefined) throw failure;
    const working = fullMeansStagingFull(work());
    underWay.add(working);
    try {
      return await working;
    } finally {
      underWay.delete(working);
    }
  };

  const requireOurs = async (): Promise<void> => {
    if ((await inodeOf(file)) !== (await inodeAt(path)))
      throw new StagedMissing(key, new Error('somebody else has taken the object, or removed it'));
  };

  /** After a failed fsync nothing that the page cache shows proves anything: no checkpoint follows it. */
  const save = async (next: Checkpointed, by: ProcessMark | null, durably: boolean) => {
    await requireOurs();
    const checkpoint: CheckpointFile = { state: next, inode: await inodeOf(file), writer: by };
    const [prepared] = await Promise.all([
      prepareCheckpoint(path, checkpoint, openFile, durably),
      durably ? file.sync() : undefined,
    ]);
    try {
      await requireOurs();
      await prepared.place();
    } catch (error) {
      await prepared.drop();
      throw error;
    }
    if (durably) for (const directory of place.directories) await sync(directory, openFile);
    checkpointed = next;
  };

  const saved = (next: () => Checkpointed): Promise<void> =>
    step(async () => {
      const turn = saving.then(() => save(next(), writer, true));
      saving = turn.catch((error) => {
        failure ??= error;
      });
      await turn;
    });

  const requireOpen = (): void => {
    if (state.sealed !== null) throw new TypeError('the staged object is sealed');
  };

  const close = async (): Promise<void> => {
    if (failure instanceof Closed) return;
    const failed = failure !== undefined;
    failure = new Closed(key);
    await Promise.allSettled(underWay);
    // Says that nobody writes any more, which spares the next one a copy. It may as well not be said.
    if (!failed && checkpointed.sealed === null)
      await save(checkpointed, null, false).catch(() => {});
    await file.close();
  };

  return {
    path,
    state: () => state,
    read: (into, offset) => step(() => readFully(file, into, offset)),
    writeAt: (offset, chunks) =>
      step(async () => {
        requireOpen();
        await room.take(chunks.reduce((sum, { length }) => sum + length, 0));
        const count = await writeFully(file, chunks, offset);
        state = {
          ...state,
          written: withExtent(state.written, { start: offset, end: offset + count }),
        };
      }),
    checkpoint: (note) =>
      saved(() => {
        requireOpen();
        state = { ...state, note };
        return state;
      }),
    reset: () =>
      step(async () => {
        requireOpen();
        await saving;
        await requireOurs();
        const renewed = await emptyFile(place, writer);
        await file.close();
        file = renewed;
        state = nothing;
        checkpointed = nothing;
      }),
    seal: (size, note) =>
      step(async () => {
        requireOpen();
        if (gaps(state.written, size).length > 0)
          throw new RangeError(`not all of ${size} bytes are written`);
        if ((await file.stat()).size > size) await file.truncate(size);
        await saved(() => ({
          note,
          written: size > 0 ? [{ start: 0, end: size }] : [],
          sealed: size,
        }));
        state = checkpointed;
      }),
    close,
  };
}

class Closed extends StagedMissing {
  constructor(key: StagedKey) {
    super(key, new Error('the partial object is closed'));
  }
}
