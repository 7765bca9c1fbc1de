import { Queue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../../postgres/log.ts';
import type { IngestJob } from '../job-queue.ts';
import type { QueueConnection } from './connection.ts';

/** Braces, so that a Redis cluster keeps all of it on one node. */
const prefix = '{daguerre}';
const answerWithinMs = 4_000;

/** It comes back by itself, for ever; what is asked while it is away fails at once instead of piling up. */
const patient = {
  connectTimeout: 3_000,
  retryStrategy: (attempt: number) => Math.min(100 * attempt, 1_000),
  enableOfflineQueue: false,
  lazyConnect: true,
} as const satisfies RedisOptions;

/** BullMQ on Redis. Nothing in it is needed: flushed, it is filled again by the reconciler. */
export function redisQueueConnection(url: string, log: Log): QueueConnection {
  const opened = new Set<Redis>();
  const watched = (redis: Redis): Redis => {
    // Without a listener it writes to the console.
    redis.on('error', (error) => log.warn({ err: error }, 'Redis cannot be reached'));
    redis.on('end', () => opened.delete(redis));
    opened.add(redis);
    // BullMQ makes more of them, and leaves them behind when Redis is away.
    const duplicate = redis.duplicate.bind(redis);
    redis.duplicate = (override) => watched(duplicate(override));
    return redis;
  };
  const open = (options: Omit<RedisOptions, 'replyMapping'>): Redis =>
    watched(new Redis(url, { ...patient, ...options }));
  /** For short questions: one that gets no answer fails. */
  const asking = open({ maxRetriesPerRequest: 1, commandTimeout: answerWithinMs });
  const connected = async (redis: Redis): Promise<void> => {
    if (redis.status === 'wait') await redis.connect();
  };

  return {
    newQueue: (name) => new Queue<IngestJob, void, 'ingest'>(name, { connection: asking, prefix }),
    newWorker(name, handle, options) {
      // It waits at Redis for the next job, for longer than any question may take.
      const waiting = open({ maxRetriesPerRequest: null, enableOfflineQueue: true });
      return new Worker<IngestJob, void, 'ingest'>(name, handle, {
        ...options,
        connection: waiting,
        prefix,
      });
    },
    async prepare() {
      await connected(asking);
      await asking.ping();
    },
    async close() {
      for (const redis of opened) redis.disconnect();
    },
  };
}
