import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ownCopies } from '../../domain/image/state.ts';
import { type Store, StoreFull, StoreUnavailable, storeKey } from '../../domain/store.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { collected } from '../support/collected.ts';
import { writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';
import { bytesOf, caller, type Pipeline, pipeline, typesOf, type Uploading } from './harness.ts';

const bytes = randomBytes(100_000);
const broken: Partial<Store> = {
  promote: async () => {
    throw new StoreUnavailable('no way', undefined);
  },
};

/** The pipeline with a second store, `fast`, of which `faults` go wrong. */
async function twoStores(faults: Partial<Store> = {}) {
  const system = await pipeline();
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-fast-'));
  after(() => rm(directory, { recursive: true, force: true }));
  const fast = filesystemStore(directory);
  const stores = storesFrom(
    [writableStore('file', system.store), writableStore('fast', { ...fast, ...faults })],
    'file',
  );
  return { ...system, fast, stores, fastDirectory: directory };
}

/** An import of staged bytes to both stores. */
async function importToBoth(system: Pipeline, allStoresMustSucceed: boolean): Promise<Uploading> {
  const key = await system.uploadToStage(bytes);
  await system.command(key.imageId, {
    type: 'RequestImport',
    caller,
    uploadId: key.uploadId,
    method: { name: 'glance-direct' },
    stores: ['file', 'fast'],
    allStoresMustSucceed,
  });
  return key;
}

const keysIn = (store: Store) => collected(store.list());

describe('an import to two stores', () => {
  test('writes both under one key, by hard links where it can', async () => {
    const system = await twoStores();
    system.startWorker({ stores: system.stores });
    const { imageId, uploadId } = await importToBoth(system, true);
    const state = await system.reached(imageId, 'active');
    const key = storeKey(imageId, uploadId, 1);
    assert.deepEqual(
      ownCopies(state).map((copy) => [copy.store, copy.key]),
      [
        ['file', key],
        ['fast', key],
      ],
    );
    for (const store of [system.store, system.fast])
      assert.ok((await bytesOf(store, key)).equals(bytes));
    const [one, other] = await Promise.all(
      [system.storeDirectory, system.fastDirectory].map((each) => stat(join(each, key))),
    );
    assert.equal(one?.ino, other?.ino);
  });

  for (const [what, error, reason] of [
    ['is full', new StoreFull(undefined), 'store-full'],
    ['is away', new StoreUnavailable('away', undefined), 'store-unavailable'],
  ] as const)
    test(`that must have both fails when one ${what}, and leaves nothing`, async () => {
      const system = await twoStores({ promote: () => Promise.reject(error) });
      system.startWorker({ stores: system.stores });
      const { imageId } = await importToBoth(system, true);
      await system.reached(imageId, 'queued');
      const { data } = (await system.events(imageId)).at(-1) ?? {};
      assert.equal(data?.reason, reason);
      assert.match(String(data?.message), /^store fast: /);
      await until('the copy that was written to be swept', async () => {
        return (await keysIn(system.store)).length === 0;
      });
    });

  test('that may miss one is active with the other', async () => {
    const system = await twoStores(broken);
    system.startWorker({ stores: system.stores });
    const { imageId } = await importToBoth(system, false);
    const state = await system.reached(imageId, 'active');
    assert.deepEqual(
      ownCopies(state).map(({ store }) => store),
      ['file'],
    );
  });

  test('writes again over what an attempt of its own left half done', async () => {
    let first = true;
    const system = await twoStores();
    const { fast } = system;
    const unsure: Store = {
      ...fast,
      async promote(...promotion) {
        await fast.promote(...promotion);
        if (!first) return;
        first = false;
        throw new StoreUnavailable('the answer is lost', undefined);
      },
    };
    const stores = storesFrom(
      [writableStore('file', system.store), writableStore('fast', unsure)],
      'file',
    );
    system.startWorker({ stores });
    const { imageId, uploadId } = await importToBoth(system, true);
    await system.reached(imageId, 'active');
    assert.ok((await bytesOf(fast, storeKey(imageId, uploadId, 1))).equals(bytes));
  });
});

describe('a copy that is taken from one store', () => {
  test('is removed there at once, and stays in the other', async () => {
    const system = await twoStores();
    system.startWorker({ stores: system.stores });
    const { imageId, uploadId } = await importToBoth(system, true);
    await system.reached(imageId, 'active');
    await system.command(imageId, { type: 'RemoveCopy', caller, store: 'file' });
    await until('the copy to be gone', async () => (await keysIn(system.store)).length === 0);
    assert.deepEqual(await keysIn(system.fast), [storeKey(imageId, uploadId, 1)]);
    assert.equal(typesOf(await system.events(imageId)).at(-1), 'LocationRemoved');
  });

  test('is found by a scan where nobody saw it go', async () => {
    const system = await twoStores();
    const worker = system.startWorker({ stores: system.stores });
    const { imageId, uploadId } = await importToBoth(system, true);
    await system.reached(imageId, 'active');
    await worker.stop();
    await system.command(imageId, { type: 'RemoveCopy', caller, store: 'fast' });
    system.startWorker({ stores: system.stores, sweepIntervalMs: 50 });
    await until('the copy to be gone', async () => (await keysIn(system.fast)).length === 0);
    assert.deepEqual(await keysIn(system.store), [storeKey(imageId, uploadId, 1)]);
  });

  test('goes from every store with a deleted image', async () => {
    const system = await twoStores();
    system.startWorker({ stores: system.stores });
    const { imageId } = await importToBoth(system, true);
    await system.reached(imageId, 'active');
    await system.deleteImage(imageId);
    await until('every byte to be gone', async () => {
      const state = await system.stateOf(imageId);
      return state.status === 'deleted' && state.dataRemoved;
    });
    for (const store of [system.store, system.fast]) assert.deepEqual(await keysIn(store), []);
  });
});
