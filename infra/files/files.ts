import { type FileHandle, mkdir, open, readdir, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `open` of node:fs/promises, as an argument so that tests can make a disk full or an fsync fail. */
export type OpenFile = (path: string, flags: string) => Promise<FileHandle>;

export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

export const isMissing = (error: unknown): boolean => errorCode(error) === 'ENOENT';

/** No room on the disk, or none left for this user. */
export const isFull = (error: unknown): boolean =>
  errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT';

/** Gives what `promise` gives; undefined where there is no such file. */
export async function unlessMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Makes a file's bytes durable, or the names in a directory: an fsync of the file alone leaves its name to luck. */
export async function sync(path: string, openFile: OpenFile = open): Promise<void> {
  const file = await openFile(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * As `mkdir -p`; gives the first directory that had to be made. One level at a time, since Node's own `recursive` tries
 * for ever, deaf to signals, where a parent is there and the kernel answers ENOENT all the same, as it does in /proc.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    return (await made(path, mode)) ? path : undefined;
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error;
  }
  const first = await makeDirectories(dirname(path), mode);
  return (await made(path, mode)) ? (first ?? path) : first;
}

/** Whether the directory had to be made. */
async function made(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await stat(path)).isDirectory()) return false;
    throw error;
  }
}

/** Makes a directory, and the names of those that had to be made for it durable. */
export async function makeDirectory(path: string, openFile: OpenFile = open): Promise<void> {
  const first = await makeDirectories(path);
  if (first === undefined) return;
  for (let at = dirname(path); at.length >= dirname(first).length; at = dirname(at)) {
    await sync(at, openFile);
    if (at === dirname(at)) return;
  }
}

/** Takes `step` in a directory that somebody who removes its last entry may take away at any moment. */
export async function inDirectory<T>(directory: string, step: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      await makeDirectories(directory);
      return await step();
    } catch (error) {
      if (!isMissing(error) || tries === 100) throw error;
    }
  }
}

/** None where the directory is gone, or is no directory. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error) || errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** Whether the directory is gone now. */
export async function removeIfEmpty(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return true;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

/** Fills `into` from `offset`, short only at the end of the file; gives the count. */
export async function readFully(
  file: FileHandle,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Writes every chunk from `offset` on; gives the count. */
export async function writeFully(
  file: FileHandle,
  chunks: readonly Uint8Array[],
  offset: number,
): Promise<number> {
  let left = chunks.filter((chunk) => chunk.length > 0);
  let written = 0;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, offset + written);
    written += bytesWritten;
    left = after(left, bytesWritten);
  }
  return written;
}

/** What is left of `chunks` after their first `count` bytes. */
function after(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  let passed = 0;
  const rest: Uint8Array[] = [];
  for (const chunk of chunks) {
    const from = Math.min(Math.max(count - passed, 0), chunk.length);
    if (from < chunk.length) rest.push(chunk.subarray(from));
    passed += chunk.length;
  }
  return rest;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Names that become paths are UUIDs and nothing else, so no name climbs out of its directory. */
export const isUuid = (name: string): boolean => uuid.test(name);
