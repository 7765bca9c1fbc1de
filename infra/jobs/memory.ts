import type { IngestJob, JobQueue } from './job-queue.ts';

/** A queue in this process alone, for fast tests. `truncate` loses what waits, as an operator might. */
export function memoryJobQueue(): JobQueue & { truncate(): void } {
  const jobs: IngestJob[] = [];
  const wake = new Set<() => void>();
  return {
    async issue(job) {
      jobs.push(job);
      for (const next of wake) next();
    },
    waiting: async () => new Set(jobs.map(({ uploadId }) => uploadId)),
    depth: async () => jobs.length,
    truncate() {
      jobs.length = 0;
    },
    work(slots, handle) {
      const running = new Set<Promise<void>>();
      const next = (): void => {
        while (running.size < slots) {
          const job = jobs.shift();
          if (job === undefined) return;
          const one = handle(job)
            .catch(() => {})
            .then(() => {
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
    async close() {},
  };
}
