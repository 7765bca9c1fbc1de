import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ObjectMissing, type Store, StoreUnavailable, storeKey } from '../../domain/store.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { markName } from '../../infra/store/directory-mark.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { knownStores, ownerOf, whileMounted } from '../../infra/store/mounted.ts';
import { storeContract } from '../contracts/store.ts';
import { collected } from '../support/collected.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-mounted-'));
after(() => rm(root, { recursive: true }));
const never = new AbortController().signal;

/** A store that has one object. */
async function site() {
  const home = await mkdtemp(join(root, 'site-'));
  const place = { id: 'fast', directory: join(home, 'store') };
  const dataDir = join(home, 'data');
  const staging = filesystemStaging(join(home, 'staging'));
  const start = (): Store =>
    whileMounted(filesystemStore(place.directory), place, knownStores(dataDir));
  const store = start();
  const put = async (into: Store): Promise<string> => {
    const key = { imageId: randomUUID(), uploadId: randomUUID() };
    const writer = await staging.create(key);
    await writer.write([Buffer.from('bytes')]);
    await writer.seal();
    const stored = storeKey(key.imageId, key.uploadId, 1);
    await into.promote(await staging.open(key), stored, 5, never);
    return stored;
  };
  const disk = join(home, 'disk');
  return {
    place,
    known: () => knownStores(dataDir),
    staging,
    store,
    start,
    put,
    key: await put(store),
    /** Leaves the empty directory that a disk is mounted on. */
    async unmount() {
      await rename(place.directory, disk);
      await mkdir(place.directory);
    },
    async mount() {
      await rm(place.directory, { recursive: true });
      await rename(disk, place.directory);
    },
  };
}

storeContract('a store that is mounted', async () => {
  const home = await mkdtemp(join(root, 'contract-'));
  const place = { id: 'fast', directory: await mkdtemp(join(home, 'store-')) };
  const known = knownStores(home);
  await ownerOf(place, known);
  return {
    store: whileMounted(filesystemStore(place.directory), place, known),
    staging: filesystemStaging(join(home, 'staging')),
  };
});

const isAway = (error: unknown): boolean =>
  error instanceof StoreUnavailable && /the store fast is not at .*mounted\?/.test(error.message);

describe('a store whose disk is not mounted', () => {
  test('is no empty one: it is away, and there again with its disk', async () => {
    const at = await site();
    await at.unmount();
    for (const store of [at.store, at.start()]) {
      await assert.rejects(store.open(at.key), isAway);
      await assert.rejects(store.remove(at.key), isAway);
      await assert.rejects(collected(store.list()), isAway);
      await assert.rejects(at.put(store), isAway);
    }
    assert.deepEqual(await readdir(at.place.directory), []);
    await at.mount();
    assert.deepEqual(await collected(at.store.list()), [at.key]);
    await assert.rejects(at.store.open(storeKey(randomUUID(), randomUUID(), 1)), ObjectMissing);
  });

  test('is not taken for a new one at the next start', async () => {
    const at = await site();
    await at.unmount();
    assert.equal(await ownerOf(at.place, at.known()), undefined);
    assert.deepEqual(await readdir(at.place.directory), []);
    await rm(at.place.directory, { recursive: true });
    assert.equal(await ownerOf(at.place, at.known()), undefined);
  });

  test('is away where nothing can be read in its place', async () => {
    const at = await site();
    await at.unmount();
    await rm(at.place.directory, { recursive: true });
    await writeFile(at.place.directory, 'a file, of which no mark can be read');
    for (const store of [at.store, at.start()]) {
      await assert.rejects(at.put(store), StoreUnavailable);
      await assert.rejects(store.open(at.key), StoreUnavailable);
      await assert.rejects(store.remove(at.key), StoreUnavailable);
    }
  });

  test('is away where another disk is in its place', async () => {
    const at = await site();
    await at.unmount();
    await writeFile(join(at.place.directory, markName), 'slow\n');
    await assert.rejects(at.store.open(at.key), /the store fast is not at .*the store slow/);
    await assert.rejects(at.put(at.store), StoreUnavailable);
    assert.equal(await ownerOf(at.place, at.known()), 'slow');
  });
});

describe('a store of files', () => {
  test('is marked where it is new, though other stores are known', async () => {
    const at = await site();
    const elsewhere = { ...at.place, directory: join(root, randomUUID()) };
    await mkdir(elsewhere.directory);
    assert.equal(await ownerOf(elsewhere, at.known()), 'fast');
    assert.deepEqual(await readdir(elsewhere.directory), [markName]);
  });

  test('that was never marked has nothing to sweep, takes bytes, and gets its mark', async () => {
    const at = await site();
    const place = { ...at.place, directory: join(root, randomUUID()) };
    const store = whileMounted(filesystemStore(place.directory), place, at.known());
    assert.deepEqual(await collected(store.list()), []);
    await store.remove(at.key);
    await assert.rejects(store.open(at.key), isAway);
    const key = await at.put(store);
    assert.deepEqual(await collected(store.list()), [key]);
    assert.ok((await readdir(place.directory)).includes(markName));
  });
});
