import { setTimeout as delay } from 'node:timers/promises';
import { createPostgresBackend, type PgPool, runMigrations, withBackend } from 'bullmq';
import pg from 'pg';
import type { Log } from '../../postgres/log.ts';
import type { IngestJob } from '../job-queue.ts';
import type { BullQueue, BullWorker, QueueConnection } from './connection.ts';

/** BullMQ's own: its Postgres backend looks nowhere else when it is given a pool. */
const schema = 'bullmq';
const failurePauseMs = 250;

const { Queue, Worker } = withBackend(createPostgresBackend);

/** SQLSTATEs that say that tables, functions or the whole schema are gone, or are not what the ledger says. */
const isDamage = (error: unknown): boolean => {
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  return code === '3F000' || code.startsWith('42');
};

/**
 * BullMQ on Postgres. Jobs are worth nothing, so commits do not wait for the disk, and damaged tables are dropped and made
 * anew. A failed query rejects after a pause: BullMQ tries again at once, which would burn a core while Postgres is away.
 */
export function postgresQueueConnection(url: string, log: Log): QueueConnection {
  const pool = new pg.Pool({
    connectionString: url,
    max: 6,
    application_name: 'daguerre jobs',
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    keepAlive: true,
    options: `-c search_path=${schema} -c synchronous_commit=off`,
  });
  pool.on('error', (error) => log.warn({ err: error }, 'lost an idle connection of the job queue'));
  // The pool listens only while a connection is idle: lost in somebody's hands, it would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));

  const migrate = async (): Promise<void> => {
    const client = await pool.connect();
    let failed = true;
    try {
      try {
        await runMigrations(client, schema);
        await client.query('select from job, job_log, event, meta, dedup, rate_limit limit 0');
      } catch (error) {
        if (!isDamage(error)) throw error;
        log.warn({ err: error }, 'the tables of the job queue are damaged; making them anew');
        await client.query(`drop schema if exists ${schema} cascade`);
        await runMigrations(client, schema);
      }
      failed = false;
    } finally {
      client.release(failed);
    }
  };

  let migrating: Promise<void> | undefined;
  const prepare = (): Promise<void> => {
    migrating ??= migrate().finally(() => {
      migrating = undefined;
    });
    return migrating;
  };

  const patient = {
    query: async (text: string, parameters?: readonly unknown[]) => {
      try {
        return await pool.query(text, parameters === undefined ? undefined : [...parameters]);
      } catch (error) {
        if (isDamage(error)) await prepare().catch(() => {});
        await delay(failurePauseMs);
        throw error;
      }
    },
    connect: () => pool.connect(),
    end: () => pool.end(),
    on: () => patient,
    removeAllListeners: () => patient,
    options: { keepAlive: true },
  } as unknown as PgPool;

  return {
    // Over this backend the classes have types of their own; what we call is the same.
    newQueue: (name) =>
      new Queue<IngestJob, void, 'ingest'>(name, { connection: patient }) as unknown as BullQueue,
    newWorker: (name, handle, options) =>
      new Worker<IngestJob, void, 'ingest'>(name, handle as never, {
        ...options,
        connection: patient,
      }) as unknown as BullWorker,
    prepare,
    close: () => pool.end(),
  };
}
