import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { StagedReader, Staging } from '../../domain/staging.ts';
import {
  ObjectMissing,
  type Store,
  StoreFull,
  StoreUnavailable,
  storeKey,
} from '../../domain/store.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { memoryStore } from '../../infra/store/memory.ts';
import { storeContract } from '../contracts/store.ts';
import { collected } from '../support/collected.ts';
import { faultyFiles } from '../support/faulty-files.ts';
import { smallDisk } from '../support/small-disk.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-store-'));
after(() => rm(root, { recursive: true }));
const newDirectory = (): Promise<string> => mkdtemp(join(root, 'test-'));
const never = new AbortController().signal;

storeContract('a store on the file system of staging', async () => {
  const directory = await newDirectory();
  return {
    store: filesystemStore(join(directory, 'store')),
    staging: filesystemStaging(join(directory, 'staging')),
  };
});
storeContract('a store that has to copy', async () => ({
  store: filesystemStore(join(await newDirectory(), 'store')),
  staging: withoutPaths(filesystemStaging(await newDirectory())),
}));
storeContract('memory', async () => ({ store: memoryStore(), staging: memoryStaging() }));

/** As staging on another host would be: nothing to link to. */
const withoutPaths = (staging: Staging): Staging => ({
  ...staging,
  open: async (key) => ({ ...(await staging.open(key)), path: null }),
});

async function staged(staging: Staging, bytes: Uint8Array): Promise<StagedReader> {
  const key = { imageId: randomUUID(), uploadId: randomUUID() };
  const writer = await staging.create(key);
  await writer.write([bytes]);
  await writer.seal();
  return staging.open(key);
}

async function leftovers(store: Store, directory: string): Promise<void> {
  for await (const key of store.list()) await store.remove(key);
  assert.deepEqual(await readdir(directory), []);
}

test('promotion on one file system makes a second name, not a second copy', async () => {
  const directory = await newDirectory();
  const store = filesystemStore(join(directory, 'store'));
  const reader = await staged(filesystemStaging(join(directory, 'staging')), randomBytes(100));
  const key = storeKey(randomUUID(), randomUUID(), 1);
  await store.promote(reader, key, 100, never);
  await reader.close();
  assert.equal(
    (await stat(join(directory, 'store', key))).ino,
    (await stat(String(reader.path))).ino,
  );
});

test('promotion copies when the staged name is gone but its bytes are open', async () => {
  const directory = await newDirectory();
  const staging = filesystemStaging(join(directory, 'staging'));
  const store = filesystemStore(join(directory, 'store'));
  const reader = await staged(staging, Buffer.from('open'));
  for await (const key of staging.list()) await staging.remove(key);
  const key = storeKey(randomUUID(), randomUUID(), 1);
  await store.promote(reader, key, 4, never);
  await reader.close();
  const object = await store.open(key);
  assert.equal(object.size, 4);
  await object.close();
});

test('promotion makes the file and every directory above it durable', async () => {
  const directory = await newDirectory();
  const synced: string[] = [];
  const store = filesystemStore(directory, faultyFiles({ onSync: (path) => synced.push(path) }));
  const reader = await staged(filesystemStaging(await newDirectory()), Buffer.from('bytes'));
  const [imageId, uploadId] = [randomUUID(), randomUUID()];
  await store.promote(reader, storeKey(imageId, uploadId, 3), 5, never);
  await reader.close();
  const path = join(directory, imageId, uploadId);
  assert.deepEqual(synced, [join(path, '3'), path, join(directory, imageId), directory]);
});

for (const [kind, prepare] of [
  ['linked', (staging: Staging) => staging],
  ['copied', withoutPaths],
] as const)
  test(`a failed fsync leaves nothing ${kind} under the key`, async () => {
    const directory = await newDirectory();
    const faults = { failingSyncs: 1 };
    const store = filesystemStore(directory, faultyFiles(faults));
    const reader = await staged(prepare(filesystemStaging(await newDirectory())), randomBytes(10));
    const key = storeKey(randomUUID(), randomUUID(), 1);
    await assert.rejects(store.promote(reader, key, 10, never), StoreUnavailable);
    await assert.rejects(store.open(key), ObjectMissing);
    await store.promote(reader, key, 10, never);
    await reader.close();
    await leftovers(store, directory);
  });

test('a full disk is StoreFull and leaves no part behind', async () => {
  const directory = await newDirectory();
  const store = filesystemStore(directory, faultyFiles({ roomBytes: 1_500_000 }));
  const reader = await staged(
    withoutPaths(filesystemStaging(await newDirectory())),
    randomBytes(3_000_000),
  );
  const key = storeKey(randomUUID(), randomUUID(), 1);
  await assert.rejects(store.promote(reader, key, 3_000_000, never), StoreFull);
  await reader.close();
  assert.deepEqual(await collected(store.list()), []);
});

test('a disk that is really full is StoreFull', async (context) => {
  const disk = await smallDisk(4);
  if (disk === undefined) return context.diagnostic('no right to mount: the faulty files stand in');
  try {
    const store = filesystemStore(join(disk.directory, 'store'));
    const reader = await staged(filesystemStaging(await newDirectory()), randomBytes(8_000_000));
    const key = storeKey(randomUUID(), randomUUID(), 1);
    await assert.rejects(store.promote(reader, key, 8_000_000, never), StoreFull);
    await reader.close();
    assert.deepEqual(await collected(store.list()), []);
  } finally {
    await disk.unmount();
  }
});

test('a part that a crash left is listed as its key, cannot be read, and goes with it', async () => {
  const directory = await newDirectory();
  const store = filesystemStore(directory);
  const reader = await staged(filesystemStaging(await newDirectory()), Buffer.from('bytes'));
  const [imageId, uploadId] = [randomUUID(), randomUUID()];
  const whole = storeKey(imageId, uploadId, 1);
  const crashed = storeKey(imageId, uploadId, 2);
  await store.promote(reader, whole, 5, never);
  await reader.close();
  await writeFile(join(directory, `${crashed}.part-${randomUUID()}`), 'half');
  assert.deepEqual([...(await collected(store.list()))].sort(), [whole, crashed]);
  await assert.rejects(store.open(crashed), ObjectMissing);
  await store.remove(crashed);
  assert.deepEqual(await readdir(join(directory, imageId, uploadId)), ['1']);
  await store.remove(whole);
  assert.deepEqual(await readdir(directory), []);
});

test('keys of another shape are refused and other files are left alone', async () => {
  const directory = await newDirectory();
  const store = filesystemStore(directory);
  for (const key of ['../x', `${randomUUID()}/${randomUUID()}/0`, `${randomUUID()}/../1`])
    await assert.rejects(store.open(key), TypeError);
  await writeFile(join(directory, 'README'), 'not an image');
  await link(join(directory, 'README'), join(directory, randomUUID()));
  assert.deepEqual(await collected(store.list()), []);
});
