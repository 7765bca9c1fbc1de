import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ownCopies } from '../../domain/image/state.ts';
import { type Store, StoreFull, storeKey } from '../../domain/store.ts';
import { memoryProgress } from '../../infra/progress/progress.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { collected } from '../support/collected.ts';
import { writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';
import { bytesOf, caller, gate, gatedStore, type Pipeline, pipeline, typesOf } from './harness.ts';

const bytes = randomBytes(300_000);

/** The pipeline with the stores `file`, `fast` and `slow`, and an image in the first. */
async function threeStores(faults: { readonly [store: string]: Partial<Store> } = {}) {
  const system = await pipeline();
  const further = async (name: string): Promise<{ store: Store; directory: string }> => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-copies-'));
    after(() => rm(directory, { recursive: true, force: true }));
    return { store: { ...filesystemStore(directory), ...faults[name] }, directory };
  };
  const [fast, slow] = [await further('fast'), await further('slow')];
  const stores = storesFrom(
    [
      writableStore('file', system.store),
      writableStore('fast', fast.store),
      writableStore('slow', slow.store),
    ],
    'file',
  );
  const worker = system.startWorker({ stores });
  const { imageId, uploadId } = await system.upload(bytes);
  await system.reached(imageId, 'active');
  await worker.stop();
  return { ...system, stores, fast, slow, imageId, firstKey: storeKey(imageId, uploadId, 1) };
}

async function copy(
  system: Pipeline,
  imageId: string,
  stores: readonly string[],
  allStoresMustSucceed = true,
): Promise<string> {
  const uploadId = randomUUID();
  await system.command(imageId, {
    type: 'RequestCopies',
    caller,
    uploadId,
    method: { name: 'copy-image' },
    stores,
    allStoresMustSucceed,
    missingOnly: false,
  });
  return uploadId;
}

type System = Awaited<ReturnType<typeof threeStores>>;

const over = (system: System): Promise<unknown> =>
  until('the copies to be over', async () => {
    const state = await system.stateOf(system.imageId);
    return 'upload' in state && state.upload === null;
  });

const places = async (system: System): Promise<readonly string[]> =>
  ownCopies(await system.stateOf(system.imageId)).map(({ store }) => store);

const full: Partial<Store> = { promote: () => Promise.reject(new StoreFull(undefined)) };

describe('copies of an image', () => {
  test('come to lie in each store, and the image is active all the while', async () => {
    const system = await threeStores();
    const waiting = gate();
    const slow = gatedStore(system.slow.store, waiting);
    const stores = storesFrom(
      [...system.stores.all.slice(0, 2), writableStore('slow', slow)],
      'file',
    );
    const progress = memoryProgress();
    system.startWorker({ stores, progress });
    const uploadId = await copy(system, system.imageId, ['fast', 'slow']);
    await until('the second copy to be written', async () => waiting.reached === 1);
    assert.deepEqual(
      [(await system.stateOf(system.imageId)).status, await places(system)],
      ['active', ['file', 'fast']],
    );
    const told = (await progress.find([uploadId])).get(uploadId);
    assert.deepEqual(
      [told?.phase, told?.done, told?.stores],
      ['storing', 2 * bytes.length, { fast: bytes.length, slow: bytes.length }],
    );
    waiting.open();
    await over(system);
    assert.deepEqual(await places(system), ['file', 'fast', 'slow']);
    const key = storeKey(system.imageId, uploadId, 1);
    for (const { store } of [system.fast, system.slow])
      assert.ok((await bytesOf(store, key)).equals(bytes));
    assert.deepEqual(await collected(system.staging.list()), []);
  });

  test('of damaged bytes are made from another place, or not at all', async () => {
    const system = await threeStores();
    const worker = system.startWorker({ stores: system.stores });
    await copy(system, system.imageId, ['fast']);
    await over(system);
    await writeFile(join(system.storeDirectory, system.firstKey), randomBytes(bytes.length));
    const uploadId = await copy(system, system.imageId, ['slow']);
    await over(system);
    assert.deepEqual(await places(system), ['file', 'fast', 'slow']);
    const key = storeKey(system.imageId, uploadId, 1);
    assert.ok((await bytesOf(system.slow.store, key)).equals(bytes));
    await worker.stop();
  });

  test('that nobody can make right end with the reason, and leave nothing', async () => {
    const system = await threeStores();
    await writeFile(join(system.storeDirectory, system.firstKey), randomBytes(bytes.length));
    system.startWorker({ stores: system.stores });
    await copy(system, system.imageId, ['fast']);
    await over(system);
    const { type, data } = (await system.events(system.imageId)).at(-1) ?? {};
    assert.deepEqual([type, data?.reason], ['IngestFailed', 'copies-unusable']);
    assert.deepEqual(
      [(await system.stateOf(system.imageId)).status, await places(system)],
      ['active', ['file']],
    );
    assert.deepEqual(await collected(system.fast.store.list()), []);
  });

  test('are taken back together where all must succeed', async () => {
    const system = await threeStores({ slow: full });
    system.startWorker({ stores: system.stores });
    await copy(system, system.imageId, ['fast', 'slow']);
    await over(system);
    assert.deepEqual(typesOf(await system.events(system.imageId)).slice(-3), [
      'ImageDataStored',
      'LocationRemoved',
      'IngestFailed',
    ]);
    assert.deepEqual(await places(system), ['file']);
    await until('the copy to be swept', async () => {
      return (await collected(system.fast.store.list())).length === 0;
    });
    assert.ok((await system.stored(system.imageId)).equals(bytes));
  });

  test('stay where they could be made, where that is enough', async () => {
    const system = await threeStores({ fast: full });
    system.startWorker({ stores: system.stores });
    await copy(system, system.imageId, ['fast', 'slow'], false);
    await over(system);
    assert.deepEqual(await places(system), ['file', 'slow']);
    assert.deepEqual(typesOf(await system.events(system.imageId)).slice(-3), [
      'ImportStoreFailed',
      'ImageDataStored',
      'ImportCompleted',
    ]);
  });

  test('that were recorded are not made again after a death', async () => {
    const system = await threeStores();
    const waiting = gate();
    const slow = gatedStore(system.slow.store, waiting);
    const stores = storesFrom(
      [...system.stores.all.slice(0, 2), writableStore('slow', slow)],
      'file',
    );
    const first = system.startWorker({ stores, slots: 1 });
    const uploadId = await copy(system, system.imageId, ['fast', 'slow']);
    await until('the second copy to be written', async () => waiting.reached === 1);
    system.dead.add(first.owner);
    system.startWorker({ stores: system.stores, sweepIntervalMs: 50 });
    await over(system);
    const stored = (await system.events(system.imageId)).filter(
      ({ type, data }) => type === 'ImageDataStored' && data.uploadId === uploadId,
    );
    assert.deepEqual(
      stored.map(({ data }) => [data.store, data.epoch]),
      [
        ['fast', 1],
        ['slow', 2],
      ],
    );
    waiting.open();
    await until("the zombie's copy to be swept", async () => {
      const left = await collected(system.slow.store.list());
      return left.join() === storeKey(system.imageId, uploadId, 2);
    });
    assert.ok(
      (await bytesOf(system.fast.store, storeKey(system.imageId, uploadId, 1))).equals(bytes),
    );
  });
});
