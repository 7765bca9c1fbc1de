import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, readFile, rename, stat, unlink } from 'node:fs/promises';
import { contiguous } from '../../domain/extents.ts';
import type { Checkpointed } from '../../domain/staging.ts';
import { type OpenFile, unlessMissing } from '../files/files.ts';
import type { ProcessMark } from '../files/process-mark.ts';

/** What lies beside a partial object's bytes. */
export interface CheckpointFile {
  readonly state: Checkpointed;
  /** Of the file whose bytes it speaks of: a file of the same name that is another is not meant. */
  readonly inode: string;
  /** Who may still write; null when it has said that it will not. */
  readonly writer: ProcessMark | null;
}

const ending = '.parts';

const checkpointPath = (path: string): string => path + ending;

/** A name beside the object's that nobody else takes. */
export const spareName = (path: string): string => `${checkpointPath(path)}.${randomUUID()}`;

/** Whether a name is an object's own, or lies beside it for its sake. */
export const belongsTo = (object: string, name: string): boolean =>
  name === object || name === object + ending || name.startsWith(`${object}${ending}.`);

/** Whether the object at `path` is one. */
export const isPartial = async (path: string): Promise<boolean> =>
  (await unlessMissing(stat(checkpointPath(path)))) !== undefined;

/** What of an open file the newest checkpoint vouches for, from the first byte on. */
export async function partialWatermark(path: string, file: FileHandle): Promise<number> {
  const checkpoint = await readCheckpoint(path);
  return checkpoint?.inode === (await inodeOf(file)) ? contiguous(checkpoint.state.written) : 0;
}

export const inodeOf = async (file: FileHandle): Promise<string> =>
  (await file.stat({ bigint: true })).ino.toString();

/** Undefined where there is none, or one that is torn. */
export async function readCheckpoint(path: string): Promise<CheckpointFile | undefined> {
  const text = await unlessMissing(readFile(checkpointPath(path), 'utf8'));
  if (text === undefined) return undefined;
  const [sum = '', json = ''] = text.split('\n');
  return sum === sumOf(json) ? (JSON.parse(json) as CheckpointFile) : undefined;
}

/** Writes it beside, under another name. `place` puts it in the old one's place, whole or not at all. */
export async function prepareCheckpoint(
  path: string,
  checkpoint: CheckpointFile,
  openFile: OpenFile,
  durably: boolean,
): Promise<{ place(): Promise<void>; drop(): Promise<void> }> {
  const json = JSON.stringify(checkpoint);
  const spare = spareName(path);
  const drop = async (): Promise<void> => void (await unlessMissing(unlink(spare)));
  try {
    const file = await openFile(spare, 'wx');
    try {
      await file.writeFile(`${sumOf(json)}\n${json}\n`);
      if (durably) await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await drop();
    throw error;
  }
  return { place: () => rename(spare, checkpointPath(path)), drop };
}

const sumOf = (json: string): string => createHash('sha256').update(json).digest('hex');
