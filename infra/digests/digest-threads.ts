import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Digests } from '../../domain/image/events.ts';
import type { FromThread, ToThread } from './protocol.ts';

/** Digests of one file in the making. */
export interface Digesting {
  /**
   * The first `size` bytes are there, and they are the file: gives their digests in hex, by algorithm. Rejects with
   * `DigestFailed`. May be called again.
   */
  finish(size: number): Promise<Digests>;
  /** Ends the work; a `finish` rejects then. */
  cancel(): void;
}

/**
 * Threads that hash files, each reading for itself (the page cache makes a second reading nearly free), with memory
 * that depends neither on the files' number nor their size.
 */
export interface DigestThreads {
  /** Begins to hash a file that may still grow, each algorithm on another thread where that is not behind with others. */
  follow(path: string, algorithms: readonly string[]): Digesting;
  close(): Promise<void>;
}

/** `code` is the system's, such as ENOENT, where reading failed; null otherwise. */
export class DigestFailed extends Error {
  readonly code: string | null;

  constructor(message: string, code: string | null) {
    super(message);
    this.name = 'DigestFailed';
    this.code = code;
  }
}

interface Task {
  readonly algorithm: string;
  readonly resolve: (hex: string) => void;
  readonly reject: (error: DigestFailed) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, Task>;
  /** Order among threads that have equally much to do. */
  usedAt: number;
}

interface Begun {
  readonly algorithm: string;
  readonly hex: Promise<string>;
  tell(message: { kind: 'finish'; size: number } | { kind: 'cancel' }): void;
}

const threadBody = new URL(
  `./digest-thread${extname(fileURLToPath(import.meta.url))}`,
  import.meta.url,
);

export const defaultThreads = (): number => Math.max(2, availableParallelism());

/**
 * `onHalf` is called each time that half of a whole file has been hashed under one algorithm; `body` is what the
 * threads run, for fault tests.
 */
export function digestThreads({
  count = defaultThreads(),
  onHalf = () => {},
  body = threadBody,
}: {
  readonly count?: number;
  readonly onHalf?: () => void;
  readonly body?: URL;
} = {}): DigestThreads {
  let lastTask = 0;
  let clock = 0;
  let closed = false;
  const threads: (Thread | undefined)[] = [];

  const startThread = (index: number): Thread => {
    const thread: Thread = {
      worker: new Worker(body, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 64 } }),
      tasks: new Map(),
      usedAt: 0,
    };
    const lost = (error: Error): void => {
      if (threads[index] === thread) threads[index] = undefined;
      for (const task of thread.tasks.values())
        task.reject(new DigestFailed(`a digest thread ended: ${error.message}`, null));
      thread.tasks.clear();
    };
    thread.worker.on('message', (message: FromThread) => receive(thread, message, onHalf));
    thread.worker.on('error', lost);
    thread.worker.on('exit', (code) => lost(new Error(`exit ${code}`)));
    threads[index] = thread;
    return thread;
  };
  for (let index = 0; index < count; index++) startThread(index);

  /** The one with least to do, rather not in `used`. A thread that was lost is replaced when its turn comes. */
  const choose = (algorithm: string, used: ReadonlySet<Thread>): Thread => {
    const all = Array.from({ length: count }, (_, index) => threads[index] ?? startThread(index));
    const rankOf = algorithm === 'md5' ? md5Rank : () => 0;
    const usedIn = (thread: Thread): number => (used.has(thread) ? 1 : 0);
    const [best] = all.sort(
      (a, b) =>
        rankOf(a) - rankOf(b) ||
        loadOf(a) - loadOf(b) ||
        usedIn(a) - usedIn(b) ||
        a.usedAt - b.usedAt,
    );
    if (best === undefined) throw new RangeError('there must be a digest thread');
    clock += 1;
    best.usedAt = clock;
    return best;
  };

  const begin = (thread: Thread, path: string, algorithm: string): Begun => {
    lastTask += 1;
    const task = lastTask;
    const hex = new Promise<string>((resolve, reject) => {
      thread.tasks.set(task, { algorithm, resolve, reject });
    });
    // Nobody may be waiting when a head start fails.
    hex.catch(() => {});
    const post = (message: ToThread): void => thread.worker.postMessage(message);
    post({ kind: 'start', task, path, algorithm });
    return {
      algorithm,
      hex,
      tell(message) {
        const waiting = thread.tasks.get(task);
        if (waiting === undefined) return;
        post({ ...message, task });
        if (message.kind === 'finish') return;
        thread.tasks.delete(task);
        waiting.reject(new DigestFailed('the digest was cancelled', null));
      },
    };
  };

  return {
    follow(path, algorithms) {
      if (closed) throw new Error('the digest threads are closed');
      const used = new Set<Thread>();
      const begun = algorithms.map((algorithm) => {
        const thread = choose(algorithm, used);
        used.add(thread);
        return begin(thread, path, algorithm);
      });
      return {
        async finish(size) {
          for (const one of begun) one.tell({ kind: 'finish', size });
          const digests = await Promise.all(
            begun.map(async ({ algorithm, hex }) => [algorithm, await hex] as const),
          );
          return Object.fromEntries(digests);
        },
        cancel() {
          for (const one of begun) one.tell({ kind: 'cancel' });
        },
      };
    },
    async close() {
      closed = true;
      await Promise.all(threads.map((thread) => thread?.worker.terminate()));
    },
  };
}

const md5sOf = ({ tasks }: Thread): number =>
  [...tasks.values()].filter(({ algorithm }) => algorithm === 'md5').length;

/** In files of one algorithm each: MD5 of four takes little longer than of one. */
const loadOf = (thread: Thread): number => {
  const md5s = md5sOf(thread);
  return thread.tasks.size - md5s + Math.ceil(md5s / 4);
};

/** Beside up to three others MD5 is cheapest, and hardly slower. More rather begin on a thread that has nothing to do. */
function md5Rank(thread: Thread): number {
  const md5s = md5sOf(thread);
  if (md5s > 0 && md5s < 4) return 0;
  if (thread.tasks.size === 0) return 1;
  return md5s > 0 && md5s < 8 ? 2 : 3;
}

function receive(thread: Thread, message: FromThread, onHalf: () => void): void {
  const task = thread.tasks.get(message.task);
  if (task === undefined) return;
  if (message.kind === 'half') {
    onHalf();
    return;
  }
  thread.tasks.delete(message.task);
  if (message.kind === 'done') task.resolve(message.hex);
  else task.reject(new DigestFailed(message.message, message.code));
}
