import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import { postgresQueueConnection } from '../../infra/jobs/bullmq/postgres.ts';
import type { JobQueue } from '../../infra/jobs/job-queue.ts';
import { memoryJobQueue } from '../../infra/jobs/memory.ts';
import { handled, issueOnce, jobQueueContract, newJob } from '../contracts/job-queue.ts';
import { testDatabase, testServer } from '../support/postgres.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

const open: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of open.reverse()) await close();
});

function queueAt(url: string, onWarning: () => void = () => {}): JobQueue {
  const log = { info() {}, warn: onWarning, error() {} };
  const queue = bullmqJobQueue(postgresQueueConnection(url, log), log);
  open.push(() => queue.close());
  return queue;
}

jobQueueContract('BullMQ on Postgres', async () => queueAt((await testDatabase()).url));
jobQueueContract('memory', async () => memoryJobQueue());

describe('the tables of the queue', () => {
  for (const [what, sql] of [
    [
      'emptied',
      `do $$ declare name text; begin
         for name in select tablename from pg_tables where schemaname = 'bullmq' loop
           execute format('truncate bullmq.%I cascade', name);
         end loop; end $$`,
    ],
    ['dropped one by one', 'drop table bullmq.job cascade'],
    ['dropped with all they are in', 'drop schema bullmq cascade'],
  ] as const)
    test(`${what} while jobs run: later jobs are handled`, async () => {
      const { url, pool } = await testDatabase();
      const queue = queueAt(url);
      let release: () => void = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const seen: string[] = [];
      const worker = queue.work(2, async ({ uploadId }) => {
        seen.push(uploadId);
        await released;
      });
      open.push(() => worker.close());
      for (let index = 0; index < 5; index++) await queue.issue(newJob());
      await until('two to run', () => seen.length === 2);
      await pool.query(sql);
      release();
      const later = newJob();
      await issueOnce(queue, later);
      await until('the later job to be handled', () => seen.includes(later.uploadId));
    });

  test('emptied, ledger and all, are made anew at the next start', async () => {
    const { url, pool } = await testDatabase();
    await queueAt(url).issue(newJob());
    await pool.query('truncate bullmq.migration');
    const queue = queueAt(url);
    const { seen } = handled(queue);
    const job = newJob();
    await issueOnce(queue, job);
    await until('the job to be handled', () => seen.includes(job.uploadId));
  });
});

test('a killed Postgres that comes back is used again, by workers from before', async () => {
  const server = await testServer();
  const queue = queueAt(server.url);
  const { seen } = handled(queue);
  const before = newJob();
  await queue.issue(before);
  await until('the first job', () => seen.includes(before.uploadId));
  if (server.pid === undefined) throw new Error('Postgres has no process id');
  killNow(server.pid);
  await server.exited;
  await assert.rejects(queue.issue(newJob()));
  const again = await testServer(server.dataDir);
  open.unshift(() => again.remove());
  assert.equal(again.url, server.url);
  const later = newJob();
  await issueOnce(queue, later);
  await until('the later job', () => seen.includes(later.uploadId));
});

test('a queue that starts before its Postgres works when that is there', async () => {
  const server = await testServer();
  await server.stop();
  let warnings = 0;
  const queue = queueAt(server.url, () => {
    warnings += 1;
  });
  const { seen } = handled(queue);
  await until('it to find nobody', () => warnings > 0);
  const again = await testServer(server.dataDir);
  open.unshift(() => again.remove());
  const job = newJob();
  await issueOnce(queue, job);
  await until('the job', () => seen.includes(job.uploadId));
});
