import { endsEarly, type FileTask, hasBytes, readNext } from './file-task.ts';
import { type Md5Lanes, type Md5State, md5State } from './md5-lanes.ts';

export interface LaneTask extends FileTask {
  readonly md5: Md5State;
}

/** MD5 of files beside each other. */
export interface LaneTasks {
  readonly all: Map<number, LaneTask>;
  add(task: FileTask): void;
  hasWhole(): boolean;
  /** Hashes a slice of each that is to have one, and gives how many bytes those were together. */
  turn(): number;
}

export interface TaskEnds {
  /** So many more bytes are hashed; `digest` is asked when they were the last. */
  readonly advance: (task: FileTask, count: number, digest: (size: number) => string) => void;
  readonly fail: (task: FileTask, error: unknown) => void;
}

/** Of all lanes together, little enough to be in the core's own cache still when it is hashed. */
export const laneBytes = 64 * 1024;
/** Four take as long as one. */
const worthwhile = 4;
const longestWaitMs = 20;

export function laneTasks(lanes: Md5Lanes, { advance, fail }: TaskEnds): LaneTasks {
  const { buffers, digest, update } = lanes;
  /** In the order of their turns. */
  const all = new Map<number, LaneTask>();
  let lastTurnAt = 0;

  const attempted = <Result>(task: LaneTask, step: () => Result): Result | undefined => {
    try {
      return step();
    } catch (error) {
      fail(task, error);
      return undefined;
    }
  };

  const isWhole = ({ size }: FileTask): boolean => size !== null;

  /** Whole files, and such that fill a lane; of these alone enough to be worth it, or those of a while. */
  const chosen = (): readonly LaneTask[] => {
    const tasks = [...all.values()];
    const whole = tasks.filter(isWhole);
    const growing = tasks
      .filter((task) => !isWhole(task))
      .filter((task) => attempted(task, () => hasBytes(task, laneBytes)));
    const isLate = performance.now() - lastTurnAt > longestWaitMs;
    if (whole.length === 0 && growing.length < worthwhile && !isLate) return [];
    return [...whole, ...growing].slice(0, buffers.length);
  };

  const end = (task: LaneTask, lane: number, count: number, hashed: number): void => {
    const isLast = task.offset + count === task.size;
    if (isWhole(task) && !isLast && hashed === 0) throw endsEarly(task, count);
    const rest = buffers[lane]?.slice(hashed, count) ?? new Uint8Array();
    advance(task, isLast ? count : hashed, (size) => digest(task.md5, rest, size));
  };

  return {
    all,
    add(task) {
      all.set(task.id, { ...task, md5: md5State() });
    },
    hasWhole: () => [...all.values()].some(isWhole),
    turn() {
      const filled: { task: LaneTask; state: Md5State; count: number }[] = [];
      for (const task of chosen()) {
        all.delete(task.id);
        all.set(task.id, task);
        const into = buffers[filled.length] ?? new Uint8Array();
        const count = attempted(task, () => readNext(task, into));
        if (count !== undefined) filled.push({ task, state: task.md5, count });
      }
      if (filled.length > 0) lastTurnAt = performance.now();
      const taken = update(filled);
      for (const [lane, { task, count }] of filled.entries())
        attempted(task, () => end(task, lane, count, taken[lane] ?? 0));
      return taken.reduce((sum, bytes) => sum + bytes, 0);
    },
  };
}
