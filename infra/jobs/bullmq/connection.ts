import type { Job, Queue, Worker, WorkerOptions } from 'bullmq';
import type { Log } from '../../postgres/log.ts';
import type { IngestJob } from '../job-queue.ts';

export type BullQueue = Queue<IngestJob, void, 'ingest'>;
export type BullWorker = Worker<IngestJob, void, 'ingest'>;
export type BullJob = Job<IngestJob, void, 'ingest'>;

/** What BullMQ is built on. */
export interface QueueConnection {
  newQueue(name: string): BullQueue;
  newWorker(
    name: string,
    handle: (job: BullJob) => Promise<void>,
    options: Omit<WorkerOptions, 'connection'>,
  ): BullWorker;
  /** Makes the queue usable, from nothing if need be. Rejects when it cannot be reached. */
  prepare(): Promise<void>;
  close(): Promise<void>;
}

/** The one place that knows which technology keeps the jobs: Redis where it is named, else Postgres. */
export async function queueConnection(
  {
    redisUrl,
    postgresUrl,
  }: { readonly redisUrl: string | undefined; readonly postgresUrl: string },
  log: Log,
): Promise<QueueConnection> {
  // Only who uses it loads it.
  if (redisUrl !== undefined)
    return (await import('./redis.ts')).redisQueueConnection(redisUrl, log);
  return (await import('./postgres.ts')).postgresQueueConnection(postgresUrl, log);
}
