import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../postgres/log.ts';
import type { JobQueue, JobWorker } from '../job-queue.ts';
import type { BullQueue, BullWorker, QueueConnection } from './connection.ts';

const name = 'ingest';
const mostListed = 1_000;
const retryMs = 250;
const kept = { age: 3600, count: 1_000 };

/** The job queue on BullMQ. It outlives the loss of its connection, its jobs and its tables; those errors are only logged. */
export function bullmqJobQueue(connection: QueueConnection, log: Log): JobQueue {
  const closing = new AbortController();
  const report = quietly(log);

  /** BullMQ remembers for ever that it could not connect, so what did not get ready is thrown away and built again. */
  const persistently = async <T extends BullQueue | BullWorker>(build: () => T): Promise<T> => {
    for (;;) {
      closing.signal.throwIfAborted();
      try {
        await connection.prepare();
        const built = build();
        // Without a listener an error would end the process.
        (built as BullQueue).on('error', report);
        try {
          await built.waitUntilReady();
          return built;
        } catch (error) {
          await built.close().catch(report);
          throw error;
        }
      } catch (error) {
        report(error);
        await delay(retryMs, undefined, { signal: closing.signal });
      }
    }
  };

  const queueReady: Promise<BullQueue> = persistently(() => connection.newQueue(name));
  queueReady.catch(() => {});
  const queue = async (): Promise<BullQueue> => {
    const timeout = delay(5_000, undefined, { ref: false }).then(() => {
      throw new Error('the job queue cannot be reached');
    });
    return Promise.race([queueReady, timeout]);
  };

  return {
    async issue(job) {
      await (await queue()).add('ingest', job, {
        jobId: randomUUID(),
        removeOnComplete: kept,
        removeOnFail: kept,
      });
    },

    async waiting() {
      const jobs = await (await queue()).getJobs(['waiting'], 0, mostListed - 1);
      return jobs.length === mostListed ? null : new Set(jobs.map(({ data }) => data.uploadId));
    },

    async depth() {
      return (await queue()).getWaitingCount();
    },

    work(slots, handle) {
      const build = () =>
        persistently(() =>
          connection.newWorker(name, (job) => handle(job).catch(report), {
            autorun: false,
            concurrency: slots,
            drainDelay: 1,
            lockDuration: 5_000,
            stalledInterval: 3_000,
            runRetryDelay: retryMs,
          }),
        );
      return keepWorking({ build, closing: closing.signal, report });
    },

    async close() {
      closing.abort();
      const built = await queueReady.catch(() => undefined);
      await built?.close().catch(report);
      await connection.close();
    },
  };
}

/** Runs a worker, and another when it ends by itself. */
function keepWorking({
  build,
  closing,
  report,
}: {
  build: () => Promise<BullWorker>;
  closing: AbortSignal;
  report: (error: unknown) => void;
}): JobWorker {
  const stop = new AbortController();
  const stopped = AbortSignal.any([stop.signal, closing]);
  let current: BullWorker | undefined;
  const run = async (): Promise<void> => {
    while (!stopped.aborted) {
      const worker = await build();
      current = worker;
      if (!stopped.aborted) await worker.run().catch(report);
      await worker.close().catch(report);
    }
  };
  const running = run().catch((error) => {
    if (!stopped.aborted) report(error);
  });
  return {
    async close() {
      stop.abort();
      await current?.close().catch(report);
      await running;
    },
  };
}

/** Logs an error once in a while: a queue that is away says the same many times a second. */
function quietly(log: Log): (error: unknown) => void {
  const lastAt = new Map<string, number>();
  return (error) => {
    const message = error instanceof Error ? error.message : String(error);
    const now = performance.now();
    if (now - (lastAt.get(message) ?? Number.NEGATIVE_INFINITY) < 5_000) return;
    if (lastAt.size > 100) lastAt.clear();
    lastAt.set(message, now);
    log.warn({ err: error }, 'the job queue has trouble');
  };
}
