import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sweeper } from '../../apps/worker/sweeper.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { type Store, storeKey } from '../../domain/store.ts';
import { memoryImportTokens } from '../../infra/import-tokens/tokens.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { knownStores, whileMounted } from '../../infra/store/mounted.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { collected } from '../support/collected.ts';
import { writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';
import { gate, namesIn, noMetrics, type Pipeline, pipeline, silent } from './harness.ts';

const cannot = (): never => {
  throw Object.assign(new Error('EIO: injected'), { code: 'EIO' });
};

function sweeperOf(
  system: Pipeline,
  {
    store = system.store,
    ...overrides
  }: Partial<Parameters<typeof sweeper>[0]> & { store?: Store } = {},
) {
  return sweeper({
    ...system,
    stores: storesFrom([writableStore('file', store)], 'file'),
    tokens: memoryImportTokens(),
    metrics: noMetrics,
    logger: silent,
    passStep: () => {},
    ...overrides,
  });
}

/** An upload that the log has ended, with its bytes left in staging. */
async function leftInStaging(system: Pipeline) {
  const key = await system.begin();
  await system.stage(key, randomBytes(10));
  const { uploadId } = key;
  const reason = 'gateway-died';
  await system.command(key.imageId, { type: 'AbortUpload', uploadId, reason, message: 'test' });
  return key;
}

test('a scan sweeps everything but what cannot be removed or read', async () => {
  const system = await pipeline();
  const [first, second, third, fourth] = [
    await leftInStaging(system),
    await leftInStaging(system),
    await leftInStaging(system),
    await leftInStaging(system),
  ];
  for (const { imageId } of [first, second]) await system.deleteImage(imageId);
  const keys = [first, second].map(({ imageId }) => storeKey(imageId, randomUUID(), 1));
  const reader = await system.staging.open(third);
  for (const key of keys) await system.store.promote(reader, key, 10, new AbortController().signal);
  await reader.close();
  const log: Pick<EventLog, 'readStream'> = {
    readStream: async (stream) =>
      stream.includes(fourth.imageId) ? cannot() : system.log.readStream(stream),
  };
  const sweeping = sweeperOf(system, {
    log,
    staging: {
      ...system.staging,
      remove: async (key) =>
        key.uploadId === first.uploadId ? cannot() : system.staging.remove(key),
    },
    store: {
      ...system.store,
      remove: async (key) => (key === keys[0] ? cannot() : system.store.remove(key)),
    },
  });
  await sweeping.scan();
  const left = (await collected(system.staging.list())).map(({ uploadId }) => uploadId);
  assert.deepEqual(left.sort(), [first.uploadId, fourth.uploadId].sort());
  assert.deepEqual(await collected(system.store.list()), [keys[0]]);
  await sweeperOf(system).scan();
  await system.onlyLeft();
});

test('the store is scanned though staging cannot be listed', async () => {
  const system = await pipeline();
  const { imageId } = await leftInStaging(system);
  await system.deleteImage(imageId);
  const [staged] = await collected(system.staging.list());
  const reader = await system.staging.open(staged ?? { imageId, uploadId: randomUUID() });
  const key = storeKey(imageId, randomUUID(), 1);
  await system.store.promote(reader, key, 10, new AbortController().signal);
  await reader.close();
  await sweeperOf(system, { staging: { ...system.staging, list: cannot } }).scan();
  assert.deepEqual(await collected(system.store.list()), []);
});

test('an image is not said to be swept while the store that has it is not mounted', async () => {
  const system = await pipeline();
  const place = { id: 'file', directory: system.storeDirectory };
  const known = knownStores(system.stagingDirectory);
  const store = whileMounted(filesystemStore(place.directory), place, known);
  const worker = system.startWorker({ store });
  const { imageId } = await system.upload(randomBytes(10));
  await until('it to be active', async () => (await system.stateOf(imageId)).status === 'active');
  await worker.stop();
  await system.deleteImage(imageId);
  const disk = `${place.directory}-disk`;
  await rename(place.directory, disk);
  await mkdir(place.directory);

  const sweeping = sweeperOf(system, { store });
  const isSwept = async (): Promise<boolean> =>
    (await system.events(imageId)).some(({ type }) => type === 'ImageDataRemoved');
  await assert.rejects(sweeping.sweepImage(imageId), /the store file is not at/);
  await sweeping.scan();
  assert.equal(await isSwept(), false);

  await rm(place.directory, { recursive: true });
  await rename(disk, place.directory);
  assert.equal((await collected(store.list())).length, 1);
  await sweeping.sweepImage(imageId);
  assert.equal(await isSwept(), true);
  assert.deepEqual(await collected(store.list()), []);
});

test('an image that cannot be swept keeps no other waiting', async () => {
  const system = await pipeline();
  const [poisoned, other] = [await leftInStaging(system), await leftInStaging(system)];
  let tries = 0;
  const sweeping = sweeperOf(system, {
    staging: {
      ...system.staging,
      remove: async (key) => {
        if (key.uploadId === poisoned.uploadId && ++tries < 2) cannot();
        await system.staging.remove(key);
      },
    },
  });
  sweeping.soon(poisoned.imageId);
  sweeping.soon(other.imageId);
  await until('the other to be swept', async () => {
    const left = await collected(system.staging.list());
    return !left.some(({ uploadId }) => uploadId === other.uploadId);
  });
  assert.equal(tries, 1);
  await system.onlyLeft();
  await sweeping.close();
});

test('a scan removes the empty directories that a crash left', async () => {
  const system = await pipeline();
  const [imageId, uploadId] = [randomUUID(), randomUUID()];
  await mkdir(join(system.stagingDirectory, imageId), { recursive: true });
  await mkdir(join(system.storeDirectory, imageId, uploadId), { recursive: true });
  await sweeperOf(system).scan();
  await sweeperOf(system).scan();
  assert.deepEqual(await namesIn(system.stagingDirectory), []);
  assert.deepEqual(await namesIn(system.storeDirectory), []);
});

test('a worker that stops gives its claim back though a scan takes long', async () => {
  const system = await pipeline();
  const [scanning, claimed] = [gate(), gate()];
  const worker = system.startWorker({
    store: {
      ...system.store,
      async *list() {
        await scanning.pass();
        yield* system.store.list();
      },
    },
    staging: {
      ...system.staging,
      open: async (one) => {
        await claimed.pass();
        return system.staging.open(one);
      },
    },
  });
  await until('the scan', () => scanning.reached > 0);
  const { imageId } = await system.upload(randomBytes(1000));
  await until('the worker to have claimed', () => claimed.reached > 0);
  const stopped = worker.stop();
  claimed.open();
  await until('the claim to be given back', async () => {
    const { type } = (await system.events(imageId)).at(-1) ?? {};
    return type === 'IngestReleased';
  });
  scanning.open();
  await stopped;
});

test('nothing is reported of stores that an image never went to', async () => {
  const system = await pipeline();
  system.startWorker();
  const { imageId } = await system.upload(randomBytes(10));
  await system.reached(imageId, 'active');
  const elsewhere = await pipeline();
  const reports: unknown[] = [];
  const sweeping = sweeperOf(system, {
    stores: storesFrom(
      [writableStore('file', system.store), writableStore('fast', elsewhere.store)],
      'file',
    ),
    logger: { ...silent, warn: (...report: unknown[]) => void reports.push(report) },
  });
  await sweeping.sweepImage(imageId);
  assert.deepEqual(reports, []);
  assert.equal((await collected(system.store.list())).length, 1);
});
