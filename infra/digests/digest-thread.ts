import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import os from 'node:os';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { errorCode } from '../files/files.ts';
import type { FromThread, ToThread } from './protocol.ts';

/** One file under one algorithm. Its size is null while the file may still grow. */
interface Task {
  readonly id: number;
  readonly file: number;
  readonly hash: Hash;
  offset: number;
  size: number | null;
  halfTold: boolean;
}

/** Little enough to be in the core's own cache still when it is hashed. */
const sliceBytes = 256 * 1024;
const shortestPollMs = 5;
const longestPollMs = 40;

/**
 * The body of a digest thread: one slice of one task at a time into one buffer, in turn, so that no file waits for
 * another to end. Files that are whole come first; those that still grow get what is left.
 */
function serve(tell: (message: FromThread) => void): (message: ToThread) => void {
  const buffer = new Uint8Array(sliceBytes);
  /** Both in the order of their turns. */
  const whole = new Map<number, Task>();
  const growing = new Map<number, Task>();
  let idleTurns = 0;
  let pollMs = shortestPollMs;
  let cancelNextTurn: (() => void) | undefined;

  const end = (task: Task, message: FromThread): void => {
    whole.delete(task.id);
    growing.delete(task.id);
    closeSync(task.file);
    tell(message);
  };

  /** Gives the number of bytes that were hashed. */
  const slice = (task: Task): number => {
    const wanted = Math.min(sliceBytes, (task.size ?? Number.POSITIVE_INFINITY) - task.offset);
    const count = wanted === 0 ? 0 : readSync(task.file, buffer, 0, wanted, task.offset);
    if (count === 0 && wanted > 0 && task.size !== null)
      throw new Error(`the file ends at ${task.offset} of ${task.size} bytes`);
    task.hash.update(buffer.subarray(0, count));
    task.offset += count;
    if (task.size === null) return count;
    if (!task.halfTold && task.offset * 2 >= task.size) {
      task.halfTold = true;
      tell({ kind: 'half', task: task.id });
    }
    if (task.offset >= task.size)
      end(task, { kind: 'done', task: task.id, hex: task.hash.digest('hex') });
    return count;
  };

  const turn = (): void => {
    cancelNextTurn = undefined;
    const queue = whole.size > 0 ? whole : growing;
    const [task] = queue.values();
    if (task === undefined) return;
    queue.delete(task.id);
    queue.set(task.id, task);
    try {
      idleTurns = slice(task) > 0 ? 0 : idleTurns + 1;
    } catch (error) {
      end(task, failed(task.id, error));
    }
    if (whole.size === 0 && idleTurns >= growing.size) pause();
    else soon();
  };

  const soon = (): void => {
    cancelNextTurn?.();
    const immediate = setImmediate(turn);
    cancelNextTurn = () => clearImmediate(immediate);
    pollMs = shortestPollMs;
  };

  const pause = (): void => {
    if (growing.size === 0) return;
    idleTurns = 0;
    const timer = setTimeout(turn, pollMs);
    cancelNextTurn = () => clearTimeout(timer);
    pollMs = Math.min(pollMs * 2, longestPollMs);
  };

  const start = ({ task: id, path, algorithm }: ToThread & { kind: 'start' }): void => {
    try {
      const hash = createHash(algorithm);
      const file = openSync(path, 'r');
      growing.set(id, { id, file, hash, offset: 0, size: null, halfTold: false });
    } catch (error) {
      tell(failed(id, error));
    }
  };

  const finish = ({ task: id, size }: ToThread & { kind: 'finish' }): void => {
    const task = growing.get(id);
    if (task === undefined) return;
    growing.delete(id);
    if (task.offset > size) {
      const message = `${task.offset} bytes were hashed of a file of ${size}`;
      end(task, { kind: 'failed', task: id, code: null, message });
      return;
    }
    task.size = size;
    whole.set(id, task);
  };

  const cancel = (id: number): void => {
    const task = whole.get(id) ?? growing.get(id);
    if (task === undefined) return;
    whole.delete(id);
    growing.delete(id);
    closeSync(task.file);
  };

  return (message) => {
    if (message.kind === 'start') start(message);
    if (message.kind === 'finish') finish(message);
    if (message.kind === 'cancel') cancel(message.task);
    idleTurns = 0;
    soon();
  };
}

const failed = (task: number, error: unknown): FromThread => ({
  kind: 'failed',
  task,
  code: errorCode(error) ?? null,
  message: error instanceof Error ? error.message : String(error),
});

/**
 * Below the event loops: somebody waits for each answer of theirs. Linux has a priority for every thread, and gives it to
 * those that the thread begins: all that is done here is done by the thread itself.
 */
function giveWay(): void {
  try {
    os.setPriority(Number(basename(readlinkSync('/proc/thread-self'))), lowPriority);
  } catch {
    // Where threads have none of their own, they all have the process's.
  }
}

const lowPriority = 10;

const port = parentPort;
if (port !== null) {
  giveWay();
  port.on(
    'message',
    serve((message) => port.postMessage(message)),
  );
}
