import {
  type ActiveJob,
  attemptsPerJob,
  type DeadJob,
  firstBackoffMs,
  Hopeless,
  type IngestJob,
  type JobQueue,
} from './job-queue.ts';

interface Waiting {
  readonly job: IngestJob;
  readonly attempt: number;
  readonly background: boolean;
}

/** A queue in this process alone, for fast tests. `truncate` loses what waits, as an operator might. */
export function memoryJobQueue(): JobQueue & { truncate(): void } {
  const jobs: Waiting[] = [];
  const delayed = new Map<NodeJS.Timeout, Waiting>();
  const active = new Map<Waiting, ActiveJob>();
  const dead: DeadJob[] = [];
  const wake = new Set<() => void>();
  const put = (waiting: Waiting): void => {
    jobs.push(waiting);
    for (const next of wake) next();
  };
  const taken = (): Waiting | undefined => {
    const awaited = jobs.findIndex(({ background }) => !background);
    return jobs.splice(Math.max(awaited, 0), 1)[0];
  };
  const failed = (waiting: Waiting, error: unknown): void => {
    const { job, attempt } = waiting;
    if (attempt < attemptsPerJob && !(error instanceof Hopeless)) {
      const timer = setTimeout(
        () => {
          delayed.delete(timer);
          put({ ...waiting, attempt: attempt + 1 });
        },
        firstBackoffMs * 2 ** (attempt - 1),
      ).unref();
      delayed.set(timer, waiting);
    } else
      dead.unshift({ job, attempts: attempt, reason: (error as Error).message, at: new Date() });
  };
  return {
    async issue(job, urgency = 'awaited') {
      put({ job, attempt: 1, background: urgency === 'background' });
    },
    waiting: async () =>
      new Set([...jobs, ...delayed.values()].map(({ job: { uploadId } }) => uploadId)),
    depth: async () => jobs.length,
    state: async () => ({
      waiting: jobs.length,
      delayed: delayed.size,
      active: [...active.values()],
      dead,
      deadCount: dead.length,
    }),
    truncate() {
      jobs.length = 0;
    },
    work(slots, handle) {
      const running = new Set<Promise<void>>();
      const next = (): void => {
        while (running.size < slots) {
          const waiting = taken();
          if (waiting === undefined) return;
          const { job } = waiting;
          const since = new Date();
          active.set(waiting, { job, progress: null, since });
          const one = handle(job, (progress) => void active.set(waiting, { job, progress, since }))
            .catch((error) => failed(waiting, error))
            .then(() => {
              active.delete(waiting);
              running.delete(one);
              if (wake.has(next)) next();
            });
          running.add(one);
        }
      };
      wake.add(next);
      next();
      return {
        async close() {
          wake.delete(next);
          await Promise.all(running);
        },
      };
    },
    async close() {
      for (const timer of delayed.keys()) clearTimeout(timer);
    },
  };
}
