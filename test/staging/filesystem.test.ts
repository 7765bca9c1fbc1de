import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { StagingFull } from '../../domain/staging.ts';
import { reservedRoom } from '../../infra/files/room.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { partialStagingContract } from '../contracts/partial-staging.ts';
import { stagingContract } from '../contracts/staging.ts';
import { collected } from '../support/collected.ts';
import { faultyFiles } from '../support/faulty-files.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-staging-'));
after(() => rm(root, { recursive: true }));
const newDirectory = (): Promise<string> => mkdtemp(join(root, 'test-'));
const newKey = () => ({ imageId: randomUUID(), uploadId: randomUUID() });
const mebibyte = new Uint8Array(1024 * 1024);

stagingContract('the file system', async () =>
  filesystemStaging(join(await newDirectory(), 'made', 'when', 'needed')),
);
stagingContract('memory', async () => memoryStaging());
partialStagingContract('the file system', async () => filesystemStaging(await newDirectory()));
partialStagingContract('memory', async () => memoryStaging());

test('a full disk is StagingFull, and the abort leaves nothing', async () => {
  const directory = await newDirectory();
  const staging = filesystemStaging(directory, faultyFiles({ roomBytes: 2.5 * 1024 * 1024 }));
  const writer = await staging.create(newKey());
  await writer.write([mebibyte]);
  await assert.rejects(writer.write([mebibyte, mebibyte]), StagingFull);
  await writer.abort();
  assert.deepEqual(await readdir(directory), []);
});

test('the reserve of the file system is not for uploads', async () => {
  const mebibytes = (count: number): number => count * mebibyte.length;
  const disk = { total: mebibytes(100), free: mebibytes(5) };
  const directory = await newDirectory();
  const room = reservedRoom(directory, async () => disk);
  const staging = filesystemStaging(directory, open, room);
  await assert.rejects(staging.create(newKey()), StagingFull);
  disk.free = mebibytes(7);
  const writer = await staging.create(newKey());
  await writer.write([mebibyte]);
  disk.free = mebibytes(6);
  await assert.rejects(writer.write([mebibyte, mebibyte]), StagingFull);
  await writer.abort();
  assert.deepEqual(await readdir(directory), []);
});

test('the reserve is 1 GiB at most, and none where the size is not told', async () => {
  const gibibyte = 1024 ** 3;
  const free = 1.5 * gibibyte;
  const large = reservedRoom(root, async () => ({ total: 1000 * gibibyte, free }));
  await large.take(0.4 * gibibyte);
  await assert.rejects(large.take(0.6 * gibibyte), { code: 'ENOSPC' });
  await reservedRoom(root, async () => ({ total: 0, free: 0 })).take(gibibyte);
});

test('a short write goes on where it ended', async () => {
  const directory = await newDirectory();
  const staging = filesystemStaging(directory, faultyFiles({ longestWrite: 3 }));
  const key = newKey();
  const writer = await staging.create(key);
  await writer.write([Buffer.from('ab'), Buffer.from('cdefg'), Buffer.from('h')]);
  assert.equal(await writer.seal(), 8);
  const reader = await staging.open(key);
  const into = Buffer.alloc(8);
  await reader.read(into, 0);
  await reader.close();
  assert.equal(into.toString(), 'abcdefgh');
});

test('after a failed fsync the object never seals', async () => {
  const faults = { failingSyncs: 1 };
  const staging = filesystemStaging(await newDirectory(), faultyFiles(faults));
  const writer = await staging.create(newKey());
  await writer.write([Buffer.from('lost')]);
  await assert.rejects(writer.seal(), { code: 'EIO' });
  assert.equal(faults.failingSyncs, 0);
  await assert.rejects(writer.seal(), { code: 'EIO' });
  await assert.rejects(writer.write([Buffer.from('more')]), { code: 'EIO' });
  await writer.abort();
});

test('a seal makes the file and both directories durable', async () => {
  const directory = await newDirectory();
  const synced: string[] = [];
  const staging = filesystemStaging(
    directory,
    faultyFiles({ onSync: (path) => synced.push(path) }),
  );
  const key = newKey();
  await (await staging.create(key)).seal();
  const imageDirectory = join(directory, key.imageId);
  assert.deepEqual(synced, [join(imageDirectory, key.uploadId), imageDirectory, directory]);
});

test('names that are no UUIDs are refused', async () => {
  const staging = filesystemStaging(await newDirectory());
  const uploadId = randomUUID();
  await assert.rejects(staging.create({ imageId: '..', uploadId }), TypeError);
  await assert.rejects(staging.open({ imageId: `../${uploadId}`, uploadId }), TypeError);
  await assert.rejects(staging.remove({ imageId: uploadId, uploadId: '../../x' }), TypeError);
});

test('a listing passes over what is not its own', async () => {
  const directory = await newDirectory();
  const staging = filesystemStaging(directory);
  const key = newKey();
  await (await staging.create(key)).seal();
  await mkdir(join(directory, 'lost+found'));
  await writeFile(join(directory, randomUUID()), 'a file where a directory belongs');
  await writeFile(join(directory, key.imageId, 'note.txt'), 'not an upload');
  assert.deepEqual(await collected(staging.list()), [key]);
});

test('a listing outlives objects that come and go meanwhile', async () => {
  const staging = filesystemStaging(await newDirectory());
  const keys = Array.from({ length: 20 }, newKey);
  for (const key of keys) await (await staging.create(key)).seal();
  const seen: string[] = [];
  for await (const { imageId } of staging.list()) {
    if (seen.length === 0) for (const key of keys) await staging.remove(key);
    seen.push(imageId);
  }
  assert.equal(seen.length, 1);
});

test('creating beside a removal that empties the directory always works', async () => {
  const staging = filesystemStaging(await newDirectory());
  const imageId = randomUUID();
  const cycle = async (): Promise<void> => {
    for (let round = 0; round < 100; round++) {
      const key = { imageId, uploadId: randomUUID() };
      const writer = await staging.create(key);
      await writer.abort();
    }
  };
  await Promise.all([cycle(), cycle(), cycle()]);
  assert.deepEqual(await collected(staging.list()), []);
});

test('a reader in the same file sees nothing beyond the watermark', async () => {
  const directory = await newDirectory();
  const staging = filesystemStaging(directory);
  const key = newKey();
  const writer = await staging.create(key);
  await writer.write([Buffer.from('four')]);
  const reader = await staging.open(key);
  assert.equal(reader.path, join(directory, key.imageId, key.uploadId));
  const other = await open(reader.path, 'r');
  assert.equal((await other.stat()).size, await reader.watermark());
  await other.close();
  await reader.close();
  await writer.abort();
});
