import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { StagedMissing, StagingFull } from '../../domain/staging.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { collected } from '../support/collected.ts';
import { type FileFaults, faultyFiles } from '../support/faulty-files.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-partial-'));
after(() => rm(root, { recursive: true }));
const newKey = () => ({ imageId: randomUUID(), uploadId: randomUUID() });
const mebibyte = new Uint8Array(1024 * 1024);

async function setUp(faults: FileFaults = {}) {
  const directory = await mkdtemp(join(root, 'test-'));
  const key = newKey();
  const path = join(directory, key.imageId, key.uploadId);
  return { directory, key, path, staging: filesystemStaging(directory, faultyFiles(faults)) };
}

test('a writer that was given up for dead, and is not, changes nothing any more', async () => {
  const { directory, key, staging, path } = await setUp();
  const zombie = await staging.resume(key);
  await zombie.writeAt(0, [Buffer.from('abc')]);
  await zombie.checkpoint({ version: 1 });
  // Another process would have another instance; that this one still lives is what both can see.
  const object = await filesystemStaging(directory).resume(key);
  assert.deepEqual(object.state().written, [{ start: 0, end: 3 }]);
  await object.writeAt(3, [Buffer.from('def')]);
  await zombie.writeAt(0, [Buffer.from('ABCDEF')]);
  await assert.rejects(zombie.checkpoint({ version: 0 }), StagedMissing);
  await zombie.close();
  await object.seal(6, { version: 1 });
  await object.close();
  assert.equal(await readFile(path, 'utf8'), 'abcdef');
  assert.deepEqual((await readdir(join(directory, key.imageId))).sort(), [
    key.uploadId,
    `${key.uploadId}.parts`,
  ]);
});

test('a writer that said goodbye leaves its file, not a copy', async () => {
  const { directory, key, staging, path } = await setUp();
  const first = await staging.resume(key);
  await first.writeAt(0, [mebibyte]);
  await first.checkpoint({});
  await first.close();
  const { ino } = await stat(path);
  const second = await filesystemStaging(directory).resume(key);
  assert.equal((await stat(path)).ino, ino);
  await second.close();
});

for (const [what, spoil] of Object.entries({
  'is torn': (path: string) => truncate(path, 40),
  'is empty': (path: string) => truncate(path, 0),
  'is something else': (path: string) => writeFile(path, '{"inode":"1"}\n'),
}))
  test(`a checkpoint that ${what} is none`, async () => {
    const { directory, key, staging, path } = await setUp();
    const first = await staging.resume(key);
    await first.writeAt(0, [Buffer.from('abc')]);
    await first.checkpoint({ version: 1 });
    await first.close();
    await spoil(`${path}.parts`);
    const reader = await staging.open(key);
    assert.equal(await reader.watermark(), 0);
    await reader.close();
    const object = await filesystemStaging(directory).resume(key);
    assert.deepEqual(object.state(), { note: null, written: [], sealed: null });
    await object.writeAt(0, [Buffer.from('new')]);
    await object.seal(3, {});
    await object.close();
    assert.equal(await readFile(path, 'utf8'), 'new');
  });

test('the bytes are durable before the checkpoint that tells of them, and all names after it', async () => {
  const synced: string[] = [];
  const { directory, key, staging, path } = await setUp({ onSync: (one) => synced.push(one) });
  const object = await staging.resume(key);
  await object.writeAt(0, [Buffer.from('abc')]);
  synced.length = 0;
  await object.checkpoint({});
  const names = synced.map((one) => one.replace(/\.parts\.[-0-9a-f]+$/, '.parts.*'));
  assert.deepEqual(names.slice(2), [join(directory, key.imageId), directory]);
  // The file was opened under the name that it had before it took the object's.
  assert.deepEqual(names.slice(0, 2), [`${path}.parts.*`, `${path}.parts.*`]);
  await object.close();
});

test('after a failed fsync nothing is vouched for any more but by whoever comes next', async () => {
  const faults: FileFaults = {};
  const { directory, key, staging } = await setUp(faults);
  const object = await staging.resume(key);
  await object.writeAt(0, [Buffer.from('abc')]);
  await object.checkpoint({ n: 1 });
  await object.writeAt(3, [Buffer.from('def')]);
  faults.failingSyncs = 2;
  await assert.rejects(object.checkpoint({ n: 2 }), { code: 'EIO' });
  faults.failingSyncs = 0;
  await assert.rejects(object.checkpoint({ n: 2 }), { code: 'EIO' });
  await assert.rejects(object.seal(6, { n: 2 }), { code: 'EIO' });
  await object.close();
  const next = await filesystemStaging(directory).resume(key);
  assert.deepEqual(next.state().note, { n: 1 });
  assert.deepEqual(next.state().written, [{ start: 0, end: 3 }]);
  await next.close();
});

test('a full disk is StagingFull, and what was checkpointed stays', async () => {
  const faults: FileFaults = { roomBytes: 1.5 * mebibyte.length };
  const { key, staging } = await setUp(faults);
  const object = await staging.resume(key);
  await object.writeAt(0, [mebibyte]);
  await object.checkpoint({ n: 1 });
  await assert.rejects(object.writeAt(mebibyte.length, [mebibyte]), StagingFull);
  assert.deepEqual(object.state().written, [{ start: 0, end: mebibyte.length }]);
  delete faults.roomBytes;
  await object.writeAt(mebibyte.length, [mebibyte]);
  await object.seal(2 * mebibyte.length, { n: 2 });
  await object.close();
});

test('what lies far behind a hole takes no room', async () => {
  const { key, staging, path } = await setUp();
  const object = await staging.resume(key);
  await object.writeAt(100 * 1024 ** 3, [mebibyte]);
  await object.checkpoint({});
  const { size, blocks } = await stat(path);
  assert.equal(size, 100 * 1024 ** 3 + mebibyte.length);
  assert.ok(blocks * 512 <= 2 * mebibyte.length, `${blocks} blocks`);
  await object.close();
});

test('what a crash left beside an object is listed as the object, once, and removed with it', async () => {
  const { directory, key, staging, path } = await setUp();
  const other = { ...key, uploadId: randomUUID() };
  for (const one of [key, other]) await (await staging.resume(one)).close();
  for (const name of [`${path}.parts.${randomUUID()}`, `${path}.parts.${randomUUID()}`])
    await writeFile(name, 'half');
  assert.equal((await collected(staging.list())).length, 2);
  await staging.remove(key);
  assert.deepEqual(await collected(staging.list()), [other]);
  await staging.remove(other);
  assert.deepEqual(await readdir(directory), []);
  const orphan = join(directory, key.imageId);
  await (await staging.resume(key)).close();
  await rm(path);
  assert.deepEqual(await collected(staging.list()), [key]);
  await staging.remove(key);
  await assert.rejects(stat(orphan), { code: 'ENOENT' });
});
