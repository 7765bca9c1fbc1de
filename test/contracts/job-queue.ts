import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, test } from 'node:test';
import {
  attemptsPerJob,
  firstBackoffMs,
  Hopeless,
  type IngestJob,
  type JobQueue,
} from '../../infra/jobs/job-queue.ts';
import { until } from '../support/until.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

export const newJob = (): IngestJob => ({
  imageId: randomUUID(),
  uploadId: randomUUID(),
  supersedes: 0,
});

/** Issues until it works, as the reconciler does; repeats are harmless. */
export async function issueOnce(queue: JobQueue, job: IngestJob): Promise<void> {
  await until('the queue to take a job', () =>
    queue.issue(job).then(
      () => true,
      () => false,
    ),
  );
}

export function handled(queue: JobQueue, slots = 2) {
  const seen: string[] = [];
  const worker = queue.work(slots, async ({ uploadId }) => {
    seen.push(uploadId);
  });
  open.push(() => worker.close());
  return { seen, worker };
}

/** Every JobQueue passes these; `make` gives an empty one. */
export function jobQueueContract(name: string, make: () => Promise<JobQueue>): void {
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

    test('lets jobs for whom somebody waits go first', async () => {
      const queue = await make();
      const [later, sooner] = [newJob(), newJob()];
      await queue.issue(later, 'background');
      await queue.issue(sooner, 'awaited');
      assert.equal(await queue.depth(), 2);
      const { seen } = handled(queue, 1);
      await until('both', () => seen.length === 2);
      assert.deepEqual(seen, [sooner.uploadId, later.uploadId]);
    });

    test('tries a job again that failed, after pauses that grow, until it works', async () => {
      const queue = await make();
      const job = newJob();
      const tries: number[] = [];
      const worker = queue.work(2, async () => {
        tries.push(performance.now());
        if (tries.length < attemptsPerJob) throw new Error('not yet');
      });
      open.push(() => worker.close());
      await queue.issue(job);
      await until('the first attempt to fail', async () => (await queue.state()).delayed === 1);
      assert.deepEqual([...((await queue.waiting()) ?? [])], [job.uploadId]);
      await until('it to work', () => tries.length === attemptsPerJob);
      const [first = 0, second = 0, third = 0] = tries;
      assert.ok(second - first >= firstBackoffMs * 0.9, `${second - first} ms`);
      assert.ok(third - second >= 2 * firstBackoffMs * 0.9, `${third - second} ms`);
      await until('it to be over', async () => {
        const { active, delayed, deadCount } = await queue.state();
        return active.length === 0 && delayed === 0 && deadCount === 0;
      });
    });

    test('shows jobs that were tried in vain, and at once those of which it is said', async () => {
      const queue = await make();
      const [hopeless, vain] = [newJob(), newJob()];
      const worker = queue.work(2, async ({ uploadId }) => {
        if (uploadId === hopeless.uploadId) throw new Hopeless('of no use');
        throw new Error('no luck');
      });
      open.push(() => worker.close());
      await queue.issue(hopeless);
      await queue.issue(vain);
      const dead = await until('both to be dead', async () => {
        const state = await queue.state();
        return state.deadCount === 2 && state.dead;
      });
      assert.deepEqual(
        new Set(dead.map(({ job, reason, attempts }) => `${job.uploadId} ${reason} ${attempts}`)),
        new Set([`${hopeless.uploadId} of no use 1`, `${vain.uploadId} no luck ${attemptsPerJob}`]),
      );
      assert.deepEqual([...((await queue.waiting()) ?? [])], []);
    });

    test('shows what is being done, and how far it is', async () => {
      const queue = await make();
      const job = newJob();
      let release: () => void = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const worker = queue.work(1, async (_, tell) => {
        tell('claimed');
        await released;
      });
      open.push(() => worker.close());
      await queue.issue(job);
      const [active] = await until('it to say so', async () => {
        const state = await queue.state();
        return state.active[0]?.progress === 'claimed' && state.active;
      });
      assert.deepEqual(active?.job, job);
      release();
      await until('it to be over', async () => (await queue.state()).active.length === 0);
    });
  });
}
