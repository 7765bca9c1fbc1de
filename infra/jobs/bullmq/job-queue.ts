import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { UnrecoverableError } from 'bullmq';
import type { Log } from '../../postgres/log.ts';
import {
  attemptsPerJob,
  firstBackoffMs,
  type HandleJob,
  Hopeless,
  type JobQueue,
  type JobWorker,
} from '../job-queue.ts';
import type { BullJob, BullQueue, BullWorker, QueueConnection } from './connection.ts';

const name = 'ingest';
const mostListed = 1_000;
const retryMs = 250;
const kept = { age: 3600, count: 1_000 };
/** Calls that wait for an answer; who has more of them is told at once that there is none. */
const mostUnanswered = 1_000;
const answerWithinMs = 5_000;
const closeWithinMs = 5_000;
const mostShown = 20;

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
  let unanswered = 0;
  /** A queue that is away, or says nothing, must hold nobody up, and nothing may pile up before it. */
  const ask = async <Answer>(question: (queue: BullQueue) => Promise<Answer>): Promise<Answer> => {
    if (unanswered >= mostUnanswered) throw new Error('the job queue does not answer');
    unanswered += 1;
    const answer = queueReady.then(question);
    void answer
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        unanswered -= 1;
      });
    return withinOr(answerWithinMs, answer, 'the job queue cannot be reached');
  };

  return {
    async issue(job, urgency = 'awaited') {
      await ask((queue) =>
        queue.add('ingest', job, {
          jobId: randomUUID(),
          // Jobs without a priority come before all that have one.
          ...(urgency === 'background' ? { priority: 1 } : {}),
          attempts: attemptsPerJob,
          backoff: { type: 'exponential', delay: firstBackoffMs },
          removeOnComplete: kept,
          removeOnFail: kept,
        }),
      );
    },

    async waiting() {
      const jobs = await ask((queue) =>
        queue.getJobs(['waiting', 'prioritized', 'delayed'], 0, mostListed - 1),
      );
      return jobs.length >= mostListed ? null : new Set(jobs.map(({ data }) => data.uploadId));
    },

    async depth() {
      return ask((queue) => queue.getJobCountByTypes('waiting', 'prioritized'));
    },

    async state() {
      const counts = await ask((queue) => queue.getJobCounts());
      const active = await ask((queue) => queue.getJobs(['active'], 0, mostShown - 1));
      const dead = await ask((queue) => queue.getJobs(['failed'], 0, mostShown - 1));
      return {
        waiting: (counts.waiting ?? 0) + (counts.prioritized ?? 0),
        delayed: counts.delayed ?? 0,
        active: active.map(({ data, progress, processedOn, timestamp }) => ({
          job: data,
          progress: typeof progress === 'string' ? progress : null,
          since: new Date(processedOn ?? timestamp),
        })),
        dead: dead.map(({ data, failedReason, attemptsMade, finishedOn, timestamp }) => ({
          job: data,
          reason: failedReason ?? '',
          attempts: attemptsMade,
          at: new Date(finishedOn ?? timestamp),
        })),
        deadCount: counts.failed ?? 0,
      };
    },

    work(slots, handle) {
      const inHand = new Set<Promise<void>>();
      const build = () =>
        persistently(() =>
          connection.newWorker(name, reporting(handle, inHand, report), {
            autorun: false,
            concurrency: slots,
            drainDelay: 1,
            lockDuration: 5_000,
            stalledInterval: 3_000,
            runRetryDelay: retryMs,
          }),
        );
      return keepWorking({ build, inHand, closing: closing.signal, report });
    },

    async close() {
      closing.abort();
      const built = await queueReady.catch(() => undefined);
      await withinOr(closeWithinMs, built?.close(), 'the job queue does not close').catch(report);
      await connection.close();
    },
  };
}

/** Rejects with `message` when there is nothing else for so long. */
async function withinOr<Value>(
  ms: number,
  promise: Promise<Value> | undefined,
  message: string,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  return Promise.race([promise as Promise<Value>, late]).finally(() => clearTimeout(timer));
}

const reporting =
  (handle: HandleJob, inHand: Set<Promise<void>>, report: (error: unknown) => void) =>
  async (job: BullJob): Promise<void> => {
    const tell = (progress: string): void => void job.updateProgress(progress).catch(report);
    const one = handle(job.data, tell);
    const over = one.catch(() => {}).finally(() => inHand.delete(over));
    inHand.add(over);
    try {
      await one;
    } catch (error) {
      throw error instanceof Hopeless ? new UnrecoverableError(error.message) : error;
    }
  };

/** Runs a worker, and another when it ends by itself. */
function keepWorking({
  build,
  inHand,
  closing,
  report,
}: {
  build: () => Promise<BullWorker>;
  inHand: ReadonlySet<Promise<void>>;
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
      const closed = Promise.all([current?.close(), running]);
      closed.catch(() => {});
      await Promise.all(inHand);
      // What is left is to say so to the queue, which may be away.
      await withinOr(closeWithinMs, closed, 'the job queue does not let its worker go').catch(
        report,
      );
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
