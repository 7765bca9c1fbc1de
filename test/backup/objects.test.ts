import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { restoreBytes } from '../../apps/cli/restore-backup.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { copyIn, keptObjects } from '../../infra/backup/objects.ts';
import { takeBackup } from '../../infra/backup/take.ts';
import { configFrom } from '../../infra/config/config.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { fact } from '../audit/site.ts';
import { created } from '../domain/fixtures.ts';
import { writableStore } from '../support/stores.ts';
import { backupSite } from './site.ts';

const never = new AbortController().signal;
const hex = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');

/** A log with images whose bytes lie in the stores `one` and `two`. */
async function site(t: TestContext) {
  const backed = await backupSite(t);
  const directoryOf = (id: string): string => join(backed.directory, id);
  const stores = storesFrom(
    ['one', 'two'].map((id) => writableStore(id, filesystemStore(directoryOf(id)))),
    'one',
  );
  return {
    ...backed,
    directoryOf,
    stores,
    async image(bytes: Uint8Array, ids: readonly string[] = ['one']) {
      const [imageId, uploadId] = [randomUUID(), randomUUID()];
      const key = `${imageId}/${uploadId}/1`;
      const digests = { md5: hex('md5', bytes), sha512: hex('sha512', bytes) };
      const size = bytes.length;
      const begun = { uploadId, owner: 'gateway', declaredSize: null, store: 'one' };
      const events: readonly ImageEvent[] = [
        created,
        { type: 'UploadStarted', data: begun },
        { type: 'UploadStaged', data: { uploadId, size } },
        { type: 'IngestClaimed', data: { uploadId, epoch: 1, supersedes: 0, owner: 'worker' } },
        ...ids.map(
          (store): ImageEvent => ({
            type: 'ImageDataStored',
            data: { uploadId, epoch: 1, store, key, size },
          }),
        ),
        { type: 'ImageDigested', data: { uploadId, digests, algorithm: 'sha512' } },
        { type: 'ImageActivated', data: { uploadId } },
      ];
      await backed.appendTo(
        `image-${imageId}`,
        events.map(({ type, data }) => fact(data as never, type)),
      );
      for (const id of ids) {
        const path = join(directoryOf(id), key);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes);
      }
      return { imageId, key, revision: events.length - 1 };
    },
    takeBytes: (more: Partial<Parameters<typeof takeBackup>[2]> = {}, from = stores) =>
      takeBackup({ ...backed.backupPorts, stores: from }, backed.backup, {
        ...{ bytes: true, signal: never },
        ...more,
      }),
    held: (key: string) => readFile(join(backed.backup, 'bytes', key)),
  };
}

describe('A backup with bytes', { concurrency: false }, () => {
  test('holds each object once, in however many stores it is, and copies none again', async (t) => {
    const { held, image, manifest, takeBytes, verify } = await site(t);
    const bytes = randomBytes(3_000_000);
    const { key } = await image(bytes, ['one', 'two']);
    const empty = await image(Buffer.alloc(0));
    const { newObjects } = await takeBytes();
    assert.equal(newObjects, 2);
    assert.ok((await held(key)).equals(bytes));
    assert.equal((await held(empty.key)).length, 0);
    assert.deepEqual((await verify()).findings, []);
    assert.equal((await manifest()).objects?.count, 2);
    await image(randomBytes(10));
    const again = await takeBytes({ bytes: false });
    assert.deepEqual([again.newObjects, again.manifest.objects?.count], [1, 3]);
  });

  test('takes what is damaged in one store from another, and names what is in none', async (t) => {
    const { backup, directoryOf, held, image, takeBytes, verify } = await site(t);
    const bytes = randomBytes(2_000);
    const saved = await image(bytes, ['one', 'two']);
    const lost = await image(bytes);
    const rotten = await image(bytes);
    await writeFile(join(directoryOf('one'), saved.key), randomBytes(2_000));
    await rm(join(directoryOf('one'), lost.key));
    await writeFile(join(directoryOf('one'), rotten.key), randomBytes(2_000));
    const { manifest } = await takeBytes();
    assert.ok((await held(saved.key)).equals(bytes));
    const missing = manifest.objects?.missing ?? [];
    assert.equal(missing.length, 2);
    assert.match(missing.join(), new RegExp(`image ${lost.imageId}: the store holds nothing as`));
    assert.match(
      missing.join(),
      new RegExp(`image ${rotten.imageId}: .* is not what the log says`),
    );
    await assert.rejects(stat(join(backup, 'bytes', rotten.key)), /ENOENT/);
    assert.deepEqual((await verify()).findings, [], 'what is known to be missing is no damage');
    await writeFile(join(directoryOf('one'), lost.key), bytes);
    const again = await takeBytes();
    assert.equal(again.manifest.objects?.missing.length, 1);
    assert.ok((await held(lost.key)).equals(bytes), 'the next run looks again');
  });

  test('is cut anew when bytes go while they are copied, and holds nothing of what was deleted', async (t) => {
    const { appendTo, backup, directoryOf, image, stores, takeBytes, verify } = await site(t);
    const kept = await image(randomBytes(100));
    const going = await image(randomBytes(100));
    const reader = stores.byId.get('one')?.reader;
    assert.ok(reader !== undefined);
    const open: typeof reader.open = async (key) => {
      if (key === going.key) {
        await rm(join(directoryOf('one'), key)).catch(() => {});
        const deleted = fact({}, 'ImageDeleted');
        await appendTo(`image-${going.imageId}`, [deleted], going.revision).catch(() => {});
      }
      return reader.open(key);
    };
    const emptying = storesFrom(
      stores.all.map((store) => ({ ...store, reader: { open } })),
      'one',
    );
    const { manifest } = await takeBytes({}, emptying);
    assert.deepEqual([manifest.objects?.count, manifest.objects?.missing], [1, []]);
    assert.equal(manifest.log.events, kept.revision + 1 + going.revision + 2);
    assert.deepEqual((await verify()).findings, []);
    await appendTo(`image-${kept.imageId}`, [fact({}, 'ImageDeleted')], kept.revision);
    await takeBytes();
    assert.deepEqual(await readdir(join(backup, 'bytes')).catch(() => []), []);
  });

  test('that begins with bytes later has those of images that rest, too', async (t) => {
    const { held, image, take, takeBytes } = await site(t);
    const bytes = randomBytes(50);
    const { key } = await image(bytes);
    assert.equal((await take()).manifest.objects, null);
    assert.equal((await takeBytes()).newObjects, 1);
    assert.ok((await held(key)).equals(bytes));
  });

  test('believes nothing that a killed run has left, and finds a bit that was flipped', async (t) => {
    const { backup, held, image, takeBytes, verify } = await site(t);
    const bytes = randomBytes(1_000);
    const { key } = await image(bytes);
    const path = join(backup, 'bytes', key);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, randomBytes(1_000));
    await writeFile(`${path}.part-x`, 'half');
    await takeBytes();
    assert.ok((await held(key)).equals(bytes));
    assert.deepEqual(await readdir(dirname(path)), ['1']);
    assert.deepEqual((await verify()).strays, []);
    await writeFile(`${path}.part-x`, 'half');
    assert.deepEqual((await verify()).strays, [`bytes/${key}.part-x`]);
    await rm(`${path}.part-x`);
    const flipped = Buffer.from(bytes);
    flipped[500] = (flipped[500] ?? 0) ^ 4;
    await writeFile(path, flipped);
    assert.deepEqual((await verify()).findings, [
      `bytes/${key} is not the image: its sha512 differs`,
    ]);
  });

  test('gives back what is sound, and names what is not', async (t) => {
    const { backup, directory, image, manifest, takeBytes } = await site(t);
    const [sound, damaged] = [await image(randomBytes(90)), await image(randomBytes(90))];
    await takeBytes();
    await writeFile(join(backup, 'bytes', damaged.key), randomBytes(90));
    const file = join(directory, 'stores.yaml');
    await writeFile(file, 'stores: [{ id: one, type: file }]\n');
    const dataDir = join(directory, 'data');
    const config = configFrom(['--config', file, '--data-dir', dataDir], {});
    const { objects, lacking } = await restoreBytes(config, backup, await manifest(), never);
    assert.deepEqual([objects, lacking.length], [2, 1]);
    assert.match(lacking.join(), new RegExp(`^image ${damaged.imageId} in one: `));
    const [store] = config.stores;
    assert.ok(store?.type === 'file');
    assert.equal((await stat(join(store.dir, sound.key))).size, 90);
    await assert.rejects(stat(join(store.dir, damaged.key)), /ENOENT/);
  });

  test('gives bytes back once, and over nothing else', async (t) => {
    const { backup, directory, image, manifest, takeBytes } = await site(t);
    const bytes = randomBytes(1_000);
    await image(bytes);
    await takeBytes();
    for await (const object of keptObjects(backup, await manifest())) {
      const target = join(directory, 'restored', object.key);
      assert.equal(await copyIn(backup, object, target, never), true);
      assert.ok((await readFile(target)).equals(bytes));
      assert.equal(await copyIn(backup, object, target, never), false);
      await writeFile(target, 'something else');
      await assert.rejects(copyIn(backup, object, target, never), /has 14 bytes/);
    }
  });
});
