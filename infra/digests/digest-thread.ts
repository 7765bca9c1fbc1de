import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import os from 'node:os';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { errorCode } from '../files/files.ts';
import { type FileTask, readNext } from './file-task.ts';
import { type LaneTasks, laneBytes, laneTasks } from './lane-tasks.ts';
import { md5Lanes } from './md5-lanes.ts';
import type { FromThread, ToThread } from './protocol.ts';

interface Task extends FileTask {
  readonly hash: Hash;
}

/** Little enough to be in the core's own cache still when it is hashed. */
const sliceBytes = 256 * 1024;
const shortestPollMs = 5;
const longestPollMs = 40;

/**
 * The body of a digest thread: one slice of one task at a time into one buffer, in turn, so that no file waits for
 * another to end. Files that are whole come first; those that still grow get what is left.
 *
 * MD5 of several files is made in lanes, which have each second turn. Whoever begins while no other is there is hashed
 * as all else is: for one, native code is quicker by an eighth.
 */
function serve(tell: (message: FromThread) => void): (message: ToThread) => void {
  const buffer = new Uint8Array(sliceBytes);
  /** Both in the order of their turns. */
  const whole = new Map<number, Task>();
  const growing = new Map<number, Task>();
  /** Made when they are needed first; null where there can be none. */
  let lanes: LaneTasks | null | undefined;
  let idleTurns = 0;
  let pollMs = shortestPollMs;
  let cancelNextTurn: (() => void) | undefined;

  const end = (task: FileTask, message: FromThread): void => {
    for (const tasks of [whole, growing, lanes?.all]) tasks?.delete(task.id);
    closeSync(task.file);
    tell(message);
  };

  const fail = (task: FileTask, error: unknown): void => end(task, failed(task.id, error));

  const advance = (task: FileTask, count: number, digest: (size: number) => string): void => {
    task.offset += count;
    if (task.size === null) return;
    if (!task.halfTold && task.offset * 2 >= task.size) {
      task.halfTold = true;
      tell({ kind: 'half', task: task.id });
    }
    if (task.offset >= task.size)
      end(task, { kind: 'done', task: task.id, hex: digest(task.size) });
  };

  /** Gives the number of bytes that were hashed. */
  const slice = (task: Task): number => {
    const count = readNext(task, buffer);
    task.hash.update(buffer.subarray(0, count));
    advance(task, count, () => task.hash.digest('hex'));
    return count;
  };

  const next = (): number => {
    const queue = whole.size > 0 ? whole : growing;
    const [task] = queue.values();
    if (task === undefined) return 0;
    queue.delete(task.id);
    queue.set(task.id, task);
    try {
      return slice(task);
    } catch (error) {
      fail(task, error);
      return sliceBytes;
    }
  };

  const turn = (): void => {
    cancelNextTurn = undefined;
    const hashed = next() + (lanes?.turn() ?? 0);
    idleTurns = hashed > 0 ? 0 : idleTurns + 1;
    const isBusy = whole.size > 0 || lanes?.hasWhole() === true;
    if (isBusy || idleTurns < growing.size) soon();
    else pause();
  };

  const soon = (): void => {
    cancelNextTurn?.();
    const immediate = setImmediate(turn);
    cancelNextTurn = () => clearImmediate(immediate);
    pollMs = shortestPollMs;
  };

  const pause = (): void => {
    if (growing.size === 0 && !lanes?.all.size) return;
    idleTurns = 0;
    const timer = setTimeout(turn, pollMs);
    cancelNextTurn = () => clearTimeout(timer);
    pollMs = Math.min(pollMs * 2, longestPollMs);
  };

  const lanesBeside = (algorithm: string): LaneTasks | undefined => {
    if (algorithm !== 'md5') return undefined;
    const others = [whole, growing].flatMap((tasks) => [...tasks.values()]);
    if (!lanes?.all.size && !others.some((task) => task.algorithm === 'md5')) return undefined;
    if (lanes === undefined) {
      const made = md5Lanes(laneBytes);
      lanes = made === undefined ? null : laneTasks(made, { advance, fail });
    }
    return lanes ?? undefined;
  };

  const start = ({ task: id, path, algorithm }: ToThread & { kind: 'start' }): void => {
    try {
      const beside = lanesBeside(algorithm);
      const hash = beside === undefined ? createHash(algorithm) : undefined;
      const file = openSync(path, 'r');
      const task = { id, file, algorithm, offset: 0, size: null, halfTold: false };
      if (hash === undefined) beside?.add(task);
      else growing.set(id, { ...task, hash });
    } catch (error) {
      tell(failed(id, error));
    }
  };

  const finish = ({ task: id, size }: ToThread & { kind: 'finish' }): void => {
    const inLane = lanes?.all.get(id);
    const alone = growing.get(id);
    const task = inLane ?? alone;
    if (task === undefined) return;
    if (task.offset > size) {
      const message = `${task.offset} bytes were hashed of a file of ${size}`;
      end(task, { kind: 'failed', task: id, code: null, message });
      return;
    }
    task.size = size;
    if (alone === undefined) return;
    growing.delete(id);
    whole.set(id, alone);
  };

  const cancel = (id: number): void => {
    const task = whole.get(id) ?? growing.get(id) ?? lanes?.all.get(id);
    if (task === undefined) return;
    for (const tasks of [whole, growing, lanes?.all]) tasks?.delete(id);
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
