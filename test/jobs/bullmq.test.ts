import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { postgresQueueConnection } from '../../infra/jobs/bullmq/connection.ts';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import type { IngestJob, JobQueue } from '../../infra/jobs/job-queue.ts';
import { memoryJobQueue } from '../../infra/jobs/memory.ts';
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

const newJob = (): IngestJob => ({
  imageId: randomUUID(),
  uploadId: randomUUID(),
  supersedes: 0,
});

/** Issues until it works, as the reconciler does; repeats are harmless. */
async function issueOnce(queue: JobQueue, job: IngestJob): Promise<void> {
  await until('the queue to take a job', () =>
    queue.issue(job).then(
      () => true,
      () => false,
    ),
  );
}

function handled(queue: JobQueue, slots = 2) {
  const seen: string[] = [];
  const worker = queue.work(slots, async ({ uploadId }) => {
    seen.push(uploadId);
  });
  open.push(() => worker.close());
  return { seen, worker };
}

for (const [name, make] of [
  ['BullMQ on Postgres', async () => queueAt((await testDatabase()).url)],
  ['memory', async () => memoryJobQueue()],
] as const)
  describe(`${name} as a JobQueue`, () => {
    test('hands every job out once', async () => {
      const queue = await make();
      const jobs = Array.from({ length: 20 }, newJob);
      for (const job of jobs) await queue.issue(job);
      const { seen } = handled(queue);
      await until('all to be handled', () => seen.length >= jobs.length);
      assert.deepEqual([...seen].sort(), jobs.map(({ uploadId }) => uploadId).sort());
    });

    test('takes a job again that it has seen before', async () => {
      const queue = await make();
      const job = newJob();
      const { seen } = handled(queue);
      await queue.issue(job);
      await until('the first', () => seen.length === 1);
      await queue.issue(job);
      await until('the second', () => seen.length === 2);
    });

    test('tells which uploads wait', async () => {
      const queue = await make();
      const jobs = [newJob(), newJob()];
      for (const job of jobs) await queue.issue(job);
      assert.equal(await queue.depth(), 2);
      assert.deepEqual(
        [...((await queue.waiting()) ?? [])].sort(),
        jobs.map(({ uploadId }) => uploadId).sort(),
      );
    });

    test('works on so many at once, and one that fails does not stop the others', async () => {
      const queue = await make();
      let running = 0;
      let most = 0;
      let ended = 0;
      let release: () => void = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const worker = queue.work(3, async () => {
        running += 1;
        most = Math.max(most, running);
        await released;
        running -= 1;
        ended += 1;
        throw new Error('a handler may fail');
      });
      open.push(() => worker.close());
      for (let index = 0; index < 7; index++) await queue.issue(newJob());
      await until('three to run', () => running === 3);
      release();
      await until('all to end', () => ended === 7);
      assert.equal(most, 3);
    });

    test('closes its worker when the jobs in hand are over', async () => {
      const queue = await make();
      let release: () => void = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      let [begun, ended] = [0, 0];
      const worker = queue.work(1, async () => {
        begun += 1;
        await released;
        ended += 1;
      });
      await queue.issue(newJob());
      await queue.issue(newJob());
      await until('the first to run', () => begun === 1);
      const closed = worker.close();
      release();
      await closed;
      assert.deepEqual([begun, ended], [1, 1]);
      assert.equal(await queue.depth(), 1);
    });
  });

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
