import { fstatSync, readSync } from 'node:fs';

/** One file under one algorithm. Its size is null while the file may still grow. */
export interface FileTask {
  readonly id: number;
  readonly file: number;
  readonly algorithm: string;
  /** Bytes that are hashed. */
  offset: number;
  size: number | null;
  halfTold: boolean;
}

/** Fills `into` with what comes next, as far as it is there, and gives its length. Throws where a whole file has none. */
export function readNext(task: FileTask, into: Uint8Array): number {
  const wanted = Math.min(into.length, (task.size ?? Number.POSITIVE_INFINITY) - task.offset);
  const count = wanted === 0 ? 0 : readSync(task.file, into, 0, wanted, task.offset);
  if (count === 0 && wanted > 0 && task.size !== null) throw endsEarly(task, count);
  return count;
}

/** Whether so many bytes are there that are not yet hashed. */
export const hasBytes = ({ file, offset }: FileTask, count: number): boolean =>
  fstatSync(file).size >= offset + count;

export const endsEarly = ({ offset, size }: FileTask, count: number): Error =>
  new Error(`the file ends at ${offset + count} of ${size} bytes`);
