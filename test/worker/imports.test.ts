import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { storeKey } from '../../domain/store.ts';
import { collected } from '../support/collected.ts';
import { until } from '../support/until.ts';
import { gate, gatedStore, hashOf, pipeline, typesOf } from './harness.ts';

const bytes = randomBytes(300_000);

describe('staged bytes', () => {
  test('are left alone by workers until their import is asked for, and then become the image', async () => {
    const system = await pipeline();
    system.startWorker();
    const key = await system.uploadToStage(bytes);
    // An upload that is finished meanwhile shows that the workers had their time.
    await system.reached((await system.upload(bytes)).imageId, 'active');
    assert.deepEqual(typesOf(await system.events(key.imageId)), [
      'ImageCreated',
      'UploadStarted',
      'UploadStaged',
    ]);
    await system.requestImport(key);
    const state = await system.reached(key.imageId, 'active');
    assert.equal('content' in state && state.content.digests.md5, hashOf('md5', bytes));
    assert.equal('upload' in state && state.upload, null);
    assert.equal(typesOf(await system.events(key.imageId)).at(-1), 'ImportCompleted');
    await until(
      'staging to be empty',
      async () => (await collected(system.staging.list())).length === 0,
    );
  });

  test('that nobody asks for are given up in time, with the reason, and swept', async () => {
    const system = await pipeline();
    let time = Date.now();
    system.startWorker({ stagingTimeoutMs: 60_000, wallClock: () => time });
    const key = await system.uploadToStage(bytes);
    await system.reached((await system.upload(bytes)).imageId, 'active');
    assert.equal((await system.stateOf(key.imageId)).status, 'uploading');
    time += 61_000;
    await system.reached(key.imageId, 'queued');
    const last = (await system.events(key.imageId)).at(-1);
    assert.deepEqual([last?.type, last?.data.reason], ['UploadAborted', 'staging-expired']);
    await until(
      'staging to be empty',
      async () => (await collected(system.staging.list())).length === 0,
    );
  });

  test('whose gateway dies while they arrive are given up', async () => {
    const system = await pipeline();
    system.startWorker();
    const { imageId } = await system.begin('raw', { purpose: 'BeginStaging' });
    system.dead.add('gateway-1');
    await system.reached(imageId, 'queued');
    const last = (await system.events(imageId)).at(-1);
    assert.deepEqual([last?.type, last?.data.reason], ['UploadAborted', 'gateway-died']);
  });
});

describe('an import', () => {
  test('whose worker dies is finished by another, and the dead one’s bytes go', async () => {
    const system = await pipeline();
    const held = gate();
    const first = system.startWorker({ slots: 1, store: gatedStore(system.store, held) });
    const key = await system.uploadToStage(bytes);
    await system.requestImport(key);
    await until('the first worker to be at it', () => held.reached === 1);
    system.dead.add(first.owner);
    system.startWorker();
    const state = await system.reached(key.imageId, 'active');
    const stored = storeKey(key.imageId, key.uploadId, 2);
    assert.deepEqual('content' in state && state.content.locations.map((one) => one.key), [stored]);
    held.open();
    await system.onlyLeft([stored]);
  });

  test('of what is not the declared format ends queued, and leaves no bytes', async () => {
    const system = await pipeline();
    system.startWorker();
    const key = await system.uploadToStage(bytes, 'qcow2');
    await system.requestImport(key);
    await system.reached(key.imageId, 'queued');
    const last = (await system.events(key.imageId)).at(-1);
    assert.deepEqual([last?.type, last?.data.reason], ['IngestFailed', 'format-refused']);
    await system.onlyLeft();
  });

  test('that kills every worker is given up after five', async () => {
    const system = await pipeline();
    const key = await system.uploadToStage(bytes);
    await system.requestImport(key);
    for (let supersedes = 0; supersedes < 6; supersedes += 1)
      await system.command(key.imageId, {
        type: 'ClaimIngest',
        uploadId: key.uploadId,
        supersedes,
        owner: `worker-${supersedes}`,
      });
    const last = (await system.events(key.imageId)).at(-1);
    assert.deepEqual([last?.type, last?.data.reason], ['IngestFailed', 'workers-died']);
    assert.equal((await system.stateOf(key.imageId)).status, 'queued');
  });

  test('of an image that is deleted meanwhile leaves no bytes', async () => {
    const system = await pipeline();
    const held = gate();
    system.startWorker({ store: gatedStore(system.store, held) });
    const key = await system.uploadToStage(bytes);
    await system.requestImport(key);
    await until('the worker to be at it', () => held.reached === 1);
    await system.deleteImage(key.imageId);
    held.open();
    await until('the end to be told', async () =>
      typesOf(await system.events(key.imageId)).includes('ImageDataRemoved'),
    );
    await system.onlyLeft();
  });
});

describe('a deleted image that is kept', () => {
  const day = 86_400_000;

  test('keeps its bytes until it is due, and loses them then', async () => {
    const system = await pipeline();
    let time = Date.now();
    system.startWorker({ sweepIntervalMs: 100, wallClock: () => time });
    const { imageId, uploadId } = await system.upload(bytes);
    await system.reached(imageId, 'active');
    await system.deleteImage(imageId, new Date(time + day));
    const stored = [storeKey(imageId, uploadId, 1)];
    await system.reached((await system.upload(bytes, 'qcow2')).imageId, 'queued');
    await system.onlyLeft(stored);
    assert.equal((await system.stateOf(imageId)).status, 'pending_delete');
    time += day;
    await system.reached(imageId, 'deleted');
    await system.onlyLeft();
    await until('the end to be told', async () =>
      typesOf(await system.events(imageId)).includes('ImageDataRemoved'),
    );
  });

  test('that is restored keeps them for good', async () => {
    const system = await pipeline();
    let time = Date.now();
    system.startWorker({ sweepIntervalMs: 100, wallClock: () => time });
    const { imageId } = await system.upload(bytes);
    await system.reached(imageId, 'active');
    await system.deleteImage(imageId, new Date(time + day));
    await system.command(imageId, { type: 'RestoreImage' });
    time += 2 * day;
    const other = await system.upload(bytes);
    await system.reached(other.imageId, 'active');
    await system.deleteImage(other.imageId, new Date(time));
    await system.reached(other.imageId, 'deleted');
    assert.equal((await system.stateOf(imageId)).status, 'active');
    assert.ok((await system.stored(imageId)).equals(bytes));
  });

  test('is scrubbed once by however many workers, and one that dies in between loses nothing', async () => {
    const system = await pipeline();
    const { imageId } = await (async () => {
      const first = system.startWorker();
      const key = await system.upload(bytes);
      await system.reached(key.imageId, 'active');
      await first.stop();
      return key;
    })();
    const now = Date.now();
    await system.deleteImage(imageId, new Date(now));
    // As by a worker that died between the fact and the bytes.
    await system.command(imageId, { type: 'ScrubImage', at: new Date(now).toISOString() });
    for (let count = 0; count < 3; count += 1) system.startWorker();
    await system.onlyLeft();
    await until('the end to be told', async () =>
      typesOf(await system.events(imageId)).includes('ImageDataRemoved'),
    );
    const types = typesOf(await system.events(imageId));
    for (const type of ['ImageDeleted', 'ImageDataRemoved'])
      assert.equal(types.filter((one) => one === type).length, 1);
  });
});
