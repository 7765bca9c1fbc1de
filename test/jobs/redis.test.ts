import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import { redisQueueConnection } from '../../infra/jobs/bullmq/redis.ts';
import type { JobQueue } from '../../infra/jobs/job-queue.ts';
import { handled, issueOnce, jobQueueContract, newJob } from '../contracts/job-queue.ts';
import { type RedisServer, redisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function queueAt({ url }: Pick<RedisServer, 'url'>, onWarning: () => void = () => {}): JobQueue {
  const log = { info() {}, warn: onWarning, error() {} };
  const queue = bullmqJobQueue(redisQueueConnection(url, log), log);
  open.push(() => queue.close());
  return queue;
}

jobQueueContract('BullMQ on Redis', async () => queueAt(await redisServer()));

for (const [what, lose] of [
  ['flushed', (server: RedisServer) => server.flush()],
  [
    'killed and restarted',
    async (server: RedisServer) => {
      await server.kill();
      await server.start();
    },
  ],
  [
    'killed and restarted without what it kept',
    async (server: RedisServer) => {
      await server.kill();
      await server.forget();
      await server.start();
    },
  ],
] as const)
  test(`a Redis that is ${what} while jobs run: later jobs are handled, by workers from before`, async () => {
    const server = await redisServer();
    const queue = queueAt(server);
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
    await lose(server);
    release();
    const later = newJob();
    await issueOnce(queue, later);
    await until('the later job to be handled', () => seen.includes(later.uploadId));
  });

test('while Redis is away questions fail soon, and nothing piles up', async () => {
  const server = await redisServer();
  const queue = queueAt(server);
  const { seen } = handled(queue);
  await queue.issue(newJob());
  await until('the first job', () => seen.length === 1);
  await server.kill();
  await assert.rejects(queue.issue(newJob()));
  const began = performance.now();
  const answers = await Promise.allSettled(
    Array.from({ length: 5_000 }, () => queue.issue(newJob())),
  );
  assert.ok(answers.every(({ status }) => status === 'rejected'));
  assert.ok(performance.now() - began < 20_000);
  await server.start();
  const later = newJob();
  await issueOnce(queue, later);
  await until('the later job', () => seen.includes(later.uploadId));
});

test('a Redis that is paused is waited for a bounded time, and used again', async () => {
  const server = await redisServer();
  const queue = queueAt(server);
  const { seen } = handled(queue);
  await queue.issue(newJob());
  await until('the first job', () => seen.length === 1);
  server.pause();
  await assert.rejects(queue.issue(newJob()));
  await assert.rejects(queue.waiting());
  server.resume();
  const later = newJob();
  await issueOnce(queue, later);
  await until('the later job', () => seen.includes(later.uploadId));
});

test('a queue that starts before its Redis works when that is there', async () => {
  const server = await redisServer();
  await server.end();
  let warnings = 0;
  const queue = queueAt(server, () => {
    warnings += 1;
  });
  const { seen } = handled(queue);
  await until('it to find nobody', () => warnings > 0);
  await server.start();
  const job = newJob();
  await issueOnce(queue, job);
  await until('the job', () => seen.includes(job.uploadId));
});

test('a queue whose Redis is away can be closed', async () => {
  const server = await redisServer();
  const queue = queueAt(server);
  const { worker } = handled(queue);
  await queue.issue(newJob());
  await server.kill();
  await worker.close();
  await queue.close();
});
