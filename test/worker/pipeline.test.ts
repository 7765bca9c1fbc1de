import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { storeKey } from '../../domain/store.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { bytesOf, gate, gatedStore, hashOf, pipeline, typesOf } from './harness.ts';

const mebibyte = 1024 * 1024;

describe('a staged upload', () => {
  for (const size of [0, 1, 100_000, 5 * mebibyte + 1])
    test(`of ${size} bytes becomes an active image with its hashes`, async () => {
      const system = await pipeline();
      system.startWorker();
      const bytes = randomBytes(size);
      const { imageId, uploadId } = await system.upload(bytes);
      const state = await system.reached(imageId, 'active');
      const key = storeKey(imageId, uploadId, 1);
      assert.deepEqual('content' in state && state.content, {
        size,
        virtualSize: size === 0 ? null : size,
        digests: { md5: hashOf('md5', bytes), sha512: hashOf('sha512', bytes) },
        algorithm: 'sha512',
        locations: [{ id: key, store: 'file', key, ours: true, metadata: {} }],
      });
      assert.ok((await system.stored(imageId)).equals(bytes));
      await system.onlyLeft([storeKey(imageId, uploadId, 1)]);
    });

  test('is finished in the name of the request that began it', async () => {
    const system = await pipeline();
    system.startWorker();
    const { imageId } = await system.upload(Buffer.from('bytes'));
    await system.reached(imageId, 'active');
    const events = await system.events(imageId);
    const began = events.find(({ type }) => type === 'UploadStarted')?.metadata;
    const activated = events.at(-1)?.metadata;
    assert.deepEqual(activated?.actor, { kind: 'system', part: 'worker' });
    assert.equal(activated?.requestId, began?.requestId);
    assert.equal(activated?.correlationId, began?.correlationId);
  });

  test('that grows slowly is followed, and active once it is whole', async () => {
    const system = await pipeline();
    system.startWorker();
    const key = await system.begin('raw');
    const writer = await system.staging.create(key);
    const pieces = Array.from({ length: 8 }, () => randomBytes(700_001));
    for (const piece of pieces) await writer.write([piece]);
    await system.complete(key, await writer.seal());
    await system.reached(key.imageId, 'active');
    assert.ok((await system.stored(key.imageId)).equals(Buffer.concat(pieces)));
  });

  test('that no dispatcher saw is found by the reconciler', async () => {
    const system = await pipeline();
    const { imageId } = await system.upload(Buffer.from('before any worker lived'));
    system.startWorker();
    await system.reached(imageId, 'active');
  });

  test('whose job is lost from the queue is found by the reconciler', async () => {
    const system = await pipeline();
    const held = gate();
    system.startWorker({ slots: 1, store: gatedStore(system.store, held) });
    const first = await system.upload(Buffer.from('first'));
    await until('the only slot to be taken', () => held.reached === 1);
    const others = await Promise.all(
      ['second', 'third'].map((content) => system.upload(Buffer.from(content))),
    );
    await until('their jobs to wait', async () => (await system.queue.depth()) === 2);
    system.queue.truncate();
    held.open();
    for (const { imageId } of [first, ...others]) await system.reached(imageId, 'active');
  });
});

describe('an upload that cannot become an image', () => {
  test('is refused for its format, with the reason', async () => {
    const system = await pipeline();
    system.startWorker();
    const { imageId } = await system.upload(Buffer.from('this is no qcow2'), 'qcow2');
    await system.reached(imageId, 'queued');
    const failed = (await system.events(imageId)).at(-1);
    assert.equal(failed?.type, 'IngestFailed');
    assert.equal(failed?.data.reason, 'format-refused');
    assert.match(String(failed?.data.message), /declared qcow2/);
    await system.onlyLeft();
  });

  test('can be followed by another that does', async () => {
    const system = await pipeline();
    system.startWorker();
    const { imageId } = await system.upload(Buffer.from('this is no qcow2'), 'qcow2');
    await system.reached(imageId, 'queued');
    const header = Buffer.alloc(104);
    header.write('QFI\xfb', 'latin1');
    const again = await system.begin('qcow2', { imageId });
    await system.stage(again, Buffer.from('nor is this'));
    await system.complete(again, 11);
    await until(
      'the second failure',
      async () =>
        typesOf(await system.events(imageId)).filter((type) => type === 'IngestFailed').length ===
        2,
    );
    await system.onlyLeft();
  });

  test('has lost its staged bytes', async () => {
    const system = await pipeline();
    const key = await system.begin();
    await system.complete(key, 10);
    system.startWorker();
    await system.reached(key.imageId, 'queued');
    assert.equal((await system.events(key.imageId)).at(-1)?.data.reason, 'staged-bytes-lost');
  });

  test('has lost the end of its staged bytes', async () => {
    const system = await pipeline();
    const key = await system.begin();
    await system.stage(key, randomBytes(1000));
    await truncate(join(system.stagingDirectory, key.imageId, key.uploadId), 999);
    await system.complete(key, 1000);
    system.startWorker();
    await system.reached(key.imageId, 'queued');
    const { reason, message } = (await system.events(key.imageId)).at(-1)?.data ?? {};
    assert.equal(reason, 'staged-bytes-lost');
    assert.match(String(message), /only 999 of 1000/);
    await system.onlyLeft();
  });

  test('loses nothing to a worker that is out of descriptors for a while', async () => {
    const system = await pipeline();
    let failures = 4;
    system.startWorker({
      staging: {
        ...system.staging,
        async open(key) {
          failures -= 1;
          if (failures >= 0) throw Object.assign(new Error('injected'), { code: 'EMFILE' });
          return system.staging.open(key);
        },
      },
    });
    const { imageId } = await system.upload(randomBytes(100));
    await system.reached(imageId, 'active');
    assert.ok(failures < 0);
  });

  test('finds the store full', async () => {
    const system = await pipeline();
    const disk = await smallDisk(2);
    const store =
      disk === undefined
        ? filesystemStore(system.storeDirectory, faultyFiles({ roomBytes: 2_000_000 }))
        : filesystemStore(disk.directory);
    const staging = {
      ...system.staging,
      open: async (key: { imageId: string; uploadId: string }) => {
        const reader = await system.staging.open(key);
        // Without a mount the two lie on one file system, where a link needs no room.
        return disk === undefined ? { ...reader, watermark: async () => 3_000_001 } : reader;
      },
    };
    const worker = system.startWorker({ store, staging });
    const { imageId } = await system.upload(randomBytes(3_000_000));
    await system.reached(imageId, 'queued');
    assert.equal((await system.events(imageId)).at(-1)?.data.reason, 'store-full');
    await system.onlyLeft();
    await worker.stop();
    await disk?.unmount();
  });

  test('finds the store broken', async () => {
    const system = await pipeline();
    system.startWorker({
      store: filesystemStore(system.storeDirectory, faultyFiles({ failingSyncs: 1_000 })),
    });
    const { imageId } = await system.upload(randomBytes(100));
    await system.reached(imageId, 'queued');
    const { reason, message } = (await system.events(imageId)).at(-1)?.data ?? {};
    assert.equal(reason, 'store-unavailable');
    assert.ok(!String(message).includes('/'), 'the owner reads nothing of our directories');
    await system.onlyLeft();
  });
});

describe('one effect', () => {
  test('many jobs for one upload do it once', async () => {
    const system = await pipeline();
    const key = await system.upload(randomBytes(1000));
    for (let index = 0; index < 10; index++) await system.queue.issue({ ...key, supersedes: 0 });
    system.startWorker();
    system.startWorker();
    await system.reached(key.imageId, 'active');
    await until('the queue to be empty', async () => (await system.queue.depth()) === 0);
    for (let index = 0; index < 10; index++) await system.queue.issue({ ...key, supersedes: 0 });
    await until('the queue to be empty', async () => (await system.queue.depth()) === 0);
    const types = typesOf(await system.events(key.imageId));
    assert.equal(types.filter((type) => type === 'IngestClaimed').length, 1);
    assert.equal(types.filter((type) => type === 'ImageActivated').length, 1);
  });

  test('a zombie is refused, removes nothing, and its bytes are swept', async () => {
    const system = await pipeline();
    const held = gate();
    const zombie = system.startWorker({ slots: 1, store: gatedStore(system.store, held) });
    const bytes = randomBytes(1000);
    const key = await system.upload(bytes);
    await until('the zombie to have stored its bytes', () => held.reached === 1);
    system.dead.add(zombie.owner);
    system.startWorker();
    await system.reached(key.imageId, 'active');
    held.open();
    await system.onlyLeft([storeKey(key.imageId, key.uploadId, 2)]);
    await zombie.stop();
    assert.ok((await system.stored(key.imageId)).equals(bytes));
    const types = typesOf(await system.events(key.imageId));
    assert.equal(types.filter((type) => type === 'IngestClaimed').length, 2);
    assert.equal(types.filter((type) => type === 'ImageActivated').length, 1);
  });

  test('a worker that stops gives its claim back, and that counts as no death', async () => {
    const system = await pipeline();
    const bytes = randomBytes(1000);
    const key = await system.upload(bytes);
    for (let life = 1; life <= 6; life++) {
      const held = gate();
      const worker = system.startWorker({
        staging: {
          ...system.staging,
          open: async (one) => {
            await held.pass();
            return system.staging.open(one);
          },
        },
      });
      await until('the worker to have claimed', () => held.reached > 0);
      const stopped = worker.stop();
      held.open();
      await stopped;
      const { type, data } = (await system.events(key.imageId)).at(-1) ?? {};
      assert.equal(type, 'IngestReleased');
      assert.equal(data?.epoch, life);
    }
    system.startWorker();
    await system.reached(key.imageId, 'active');
    assert.ok((await system.stored(key.imageId)).equals(bytes));
  });

  test('an image deleted in the middle of its ingest leaves no bytes', async () => {
    const system = await pipeline();
    const held = gate();
    system.startWorker({ store: gatedStore(system.store, held) });
    const { imageId } = await system.upload(randomBytes(1000));
    await until('the bytes to be stored', () => held.reached === 1);
    await system.deleteImage(imageId);
    held.open();
    await until('the removal to be on record', async () =>
      typesOf(await system.events(imageId)).includes('ImageDataRemoved'),
    );
    await system.onlyLeft();
  });

  test('a deleted image loses its bytes, and the log says so', async () => {
    const system = await pipeline();
    system.startWorker();
    const { imageId } = await system.upload(randomBytes(1000));
    await system.reached(imageId, 'active');
    await system.deleteImage(imageId);
    await until('the removal to be on record', async () =>
      typesOf(await system.events(imageId)).includes('ImageDataRemoved'),
    );
    await system.onlyLeft();
  });
});

test('a gateway that dies while it receives has its upload ended', async () => {
  const system = await pipeline();
  system.startWorker();
  const key = await system.begin('raw', { owner: 'gateway-dead' });
  await system.stage(key, randomBytes(100));
  system.dead.add('gateway-dead');
  await system.reached(key.imageId, 'queued');
  const aborted = (await system.events(key.imageId)).at(-1);
  assert.equal(aborted?.type, 'UploadAborted');
  assert.equal(aborted?.data.reason, 'gateway-died');
  await system.onlyLeft();
});

test('bytes of an image that the log does not know are left alone', async () => {
  const system = await pipeline();
  const [imageId, uploadId] = [randomUUID(), randomUUID()];
  await system.stage({ imageId, uploadId }, Buffer.from('whose?'));
  await mkdir(join(system.storeDirectory, imageId, uploadId), { recursive: true });
  await writeFile(join(system.storeDirectory, imageId, uploadId, '1'), 'whose?');
  let scans = 0;
  system.startWorker({
    sweepIntervalMs: 10,
    store: {
      ...system.store,
      list: () => {
        scans += 1;
        return system.store.list();
      },
    },
  });
  await until('some scans', () => scans > 3);
  const reader = await system.staging.open({ imageId, uploadId });
  await reader.close();
  assert.equal((await bytesOf(system.store, `${imageId}/${uploadId}/1`)).toString(), 'whose?');
});
