import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { budgets } from '../../apps/worker/budgets.ts';
import { type FollowerPorts, followLog } from '../../apps/worker/follower.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { Hopeless, type IngestJob } from '../../infra/jobs/job-queue.ts';
import { until } from '../support/until.ts';
import { noMetrics, pipeline, silent } from './harness.ts';

/** A dispatcher over a log in memory, with a worker that does what the test says. */
async function following({
  hasHeadStart = false,
  run = () => new Promise(() => {}),
  leftNothing = false,
}: {
  hasHeadStart?: boolean;
  run?: (job: IngestJob) => Promise<void>;
  leftNothing?: boolean;
} = {}) {
  const system = await pipeline();
  const seen: RecordedEvent[] = [];
  const issued: string[] = [];
  const begun: string[] = [];
  const swept: string[] = [];
  const ports: FollowerPorts = {
    owner: 'worker-1',
    log: system.log,
    bus: system.log,
    queue: {
      async issue({ uploadId }) {
        issued.push(uploadId);
      },
    },
    budgets: budgets(0, system.log),
    headStarts: {
      count: 0,
      begin() {},
      staged() {},
      has: () => hasHeadStart,
      take: () => undefined,
      drop() {},
      dropImage() {},
      async close() {},
    },
    ingest: {
      run(job) {
        begun.push(job.uploadId);
        return run(job);
      },
      isRunning: (uploadId) => begun.includes(uploadId),
      leftNothing: () => leftNothing,
      abandon() {},
      abandonImage() {},
    },
    sweeper: { soon: (imageId) => swept.push(imageId) },
    mostHeadStarts: 1,
    isDispatcher: () => true,
    isChosen: () => true,
    heard: (event) => seen.push(event),
    metrics: noMetrics,
    logger: silent,
  };
  const stopping = new AbortController();
  const head = await system.log.head();
  const over = followLog(
    { ...ports, bus: { ...system.log, head: async () => head } },
    stopping.signal,
  );
  return {
    issued,
    begun,
    swept,
    async upload() {
      const key = await system.upload(Buffer.from('bytes'));
      const heard = () =>
        seen.some(({ type, data }) => type === 'UploadStaged' && data.uploadId === key.uploadId);
      await until('the follower to hear of the upload', heard);
      return key;
    },
    async activate() {
      const { imageId, uploadId } = await system.upload(Buffer.from('bytes'));
      const owner = 'worker-1';
      await system.command(imageId, { type: 'ClaimIngest', uploadId, supersedes: 0, owner });
      const result = {
        stored: [{ store: 'file', key: `${imageId}/${uploadId}/1` }],
        digests: { md5: '0'.repeat(32), sha512: '0'.repeat(128) },
        algorithm: 'sha512',
        detected: 'raw',
        virtualSize: 5,
      };
      await system.command(imageId, { type: 'CompleteIngest', uploadId, epoch: 1, result });
      await until('the follower to hear of the end', () =>
        seen.some(({ type }) => type === 'ImageActivated'),
      );
      return imageId;
    },
    async stop() {
      stopping.abort();
      await over;
    },
  };
}

test('an upload without a head start becomes a job', async () => {
  const { upload, issued, begun, stop } = await following();
  const { uploadId } = await upload();
  assert.deepEqual(issued, [uploadId]);
  assert.deepEqual(begun, []);
  await stop();
});

test('an upload that has a head start here is claimed at once, and is no job', async () => {
  const { upload, issued, begun, stop } = await following({ hasHeadStart: true });
  const { uploadId } = await upload();
  assert.deepEqual(begun, [uploadId]);
  assert.deepEqual(issued, []);
  await stop();
});

test('an upload that could not be claimed by its head start becomes a job', async () => {
  const { upload, issued, stop } = await following({
    hasHeadStart: true,
    run: () => Promise.reject(new Error('the log is away')),
  });
  const { uploadId } = await upload();
  await until('the job', () => issued.includes(uploadId));
  await stop();
});

test('work that broke after its claim is left to those who supersede it', async () => {
  const { upload, issued, stop } = await following({
    hasHeadStart: true,
    run: () => Promise.reject(new Hopeless(`broken ${randomUUID()}`)),
  });
  await upload();
  await upload();
  assert.deepEqual(issued, []);
  await stop();
});

test('an image is swept when it is active, unless who filled it has cleared away itself', async () => {
  const left = await following();
  const imageId = await left.activate();
  assert.deepEqual(left.swept, [imageId]);
  const cleared = await following({ leftNothing: true });
  await cleared.activate();
  assert.deepEqual(cleared.swept, []);
  await left.stop();
  await cleared.stop();
});
