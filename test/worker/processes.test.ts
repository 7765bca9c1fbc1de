import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import pg, { type Pool } from 'pg';
import { ownKeys } from '../../domain/image/state.ts';
import type { PipelineStep } from '../../domain/pipeline-steps.ts';
import { storeKey } from '../../domain/store.ts';
import { until } from '../support/until.ts';
import { hashOf, typesOf } from './harness.ts';
import { workerProcesses } from './worker-processes.ts';

const steps: readonly PipelineStep[] = [
  'worker.job-taken',
  'worker.ingest-claimed',
  'worker.digests-half',
  'worker.digests-done',
  'worker.data-promoted',
  'worker.image-activated',
  'worker.staging-removed',
];

test('a worker that dies at any step loses nothing and leaves nothing', async () => {
  const system = await workerProcesses({ leaseMs: 500 });
  const worker = system.keepWorker();
  const kept: string[] = [];
  for (const step of steps) {
    const lives = worker.lives();
    await system.crashAt(step);
    const bytes = randomBytes(3_000_000);
    const { imageId } = await system.upload(bytes);
    await until(`the worker to die at ${step}`, () => worker.lives() > lives);
    const state = await system.reached(imageId, 'active');
    assert.ok('content' in state);
    assert.equal(state.content.digests.sha512, hashOf('sha512', bytes), step);
    assert.ok((await system.stored(imageId)).equals(bytes), step);
    kept.push(...ownKeys(state));
  }
  await system.onlyLeft(kept);
});

test('the work of a dead worker is taken over within 10 s, at the usual lease', async (context) => {
  const system = await workerProcesses({ leaseMs: 4_000 });
  const worker = system.keepWorker();
  const warm = await system.upload(Buffer.from('to know that everything runs'));
  await system.reached(warm.imageId, 'active');
  const lives = worker.lives();
  await system.crashAt('worker.digests-done');
  const { imageId } = await system.upload(randomBytes(1000));
  await until('the worker to die', () => worker.lives() > lives);
  const died = performance.now();
  await system.reached(imageId, 'active');
  const took = performance.now() - died;
  context.diagnostic(`active again ${Math.round(took)} ms after the death`);
  assert.ok(took < 10_000, `it took ${took} ms`);
});

test('an image that kills five workers is given up, and others live', async () => {
  const system = await workerProcesses({ leaseMs: 300 });
  await system.crashAt('worker.ingest-claimed', true);
  const { imageId } = await system.upload(Buffer.from('poison'));
  const worker = system.keepWorker();
  await system.reached(imageId, 'queued');
  const events = await system.events(imageId);
  assert.equal(events.at(-1)?.type, 'IngestFailed');
  assert.equal(events.at(-1)?.data.reason, 'workers-died');
  assert.equal(typesOf(events).filter((type) => type === 'IngestClaimed').length, 5);
  assert.ok(worker.lives() >= 6);
  await system.noMoreCrashes();
  await system.onlyLeft();
  const next = await system.upload(Buffer.from('harmless'));
  await system.reached(next.imageId, 'active');
});

test('everything becomes active though the queue is emptied again and again', async () => {
  const system = await workerProcesses({ leaseMs: 500 });
  system.keepWorker();
  system.keepWorker();
  const uploads = await Promise.all(
    Array.from({ length: 20 }, () => system.upload(randomBytes(200_000))),
  );
  const emptied = (async () => {
    for (let round = 0; round < 10; round++) {
      await until('the tables of the queue', async () => {
        const { rows } = await system.pool.query(`select to_regclass('bullmq.job') as there`);
        return rows[0]?.there !== null;
      });
      await emptyTheQueue(system.pool);
    }
  })();
  for (const { imageId } of uploads) await system.reached(imageId, 'active');
  await emptied;
  await system.onlyLeft(uploads.map(({ imageId, uploadId }) => storeKey(imageId, uploadId, 1)));
});

test('a worker that is asked to stop gives back what it has claimed', async () => {
  const system = await workerProcesses({ leaseMs: 4_000 });
  const first = system.keepWorker();
  const warm = await system.upload(Buffer.from('to know that everything runs'));
  await system.reached(warm.imageId, 'active');
  const key = await system.begin('raw', { declaredSize: 1 });
  await system.stage(key, Buffer.from('a hole follows'));
  await truncate(join(system.stagingDirectory, key.imageId, key.uploadId), 200_000_000);
  await system.complete(key, 200_000_000);
  await until('the claim', async () =>
    typesOf(await system.events(key.imageId)).includes('IngestClaimed'),
  );
  const ended = once(first.current(), 'exit');
  await first.stop();
  assert.deepEqual(await ended, [0, null]);
  assert.equal((await system.events(key.imageId)).at(-1)?.type, 'IngestReleased');
  system.keepWorker();
  await system.reached(key.imageId, 'active');
});

/** Empties the queue's tables; whoever works on them takes their locks in an order of its own, so it may take several tries. */
async function emptyTheQueue(pool: Pool): Promise<void> {
  await until('the queue to be emptied', async () => {
    try {
      await pool.query('truncate bullmq.job, bullmq.event, bullmq.meta cascade');
      return true;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === '40P01') return false;
      throw error;
    }
  });
}
