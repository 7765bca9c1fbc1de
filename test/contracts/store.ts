import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { StagedReader, Staging } from '../../domain/staging.ts';
import { ObjectExists, ObjectMissing, type Store, storeKey } from '../../domain/store.ts';
import { collected } from '../support/collected.ts';

const newKey = (): string => storeKey(randomUUID(), randomUUID(), 1);
const never = new AbortController().signal;

async function staged(staging: Staging, bytes: Uint8Array): Promise<StagedReader> {
  const key = { imageId: randomUUID(), uploadId: randomUUID() };
  const writer = await staging.create(key);
  await writer.write([bytes]);
  await writer.seal();
  return staging.open(key);
}

async function stored(store: Store, key: string): Promise<Buffer> {
  const object = await store.open(key);
  try {
    const bytes = Buffer.alloc(object.size);
    assert.equal(await object.read(bytes, 0), object.size);
    return bytes;
  } finally {
    await object.close();
  }
}

/** Every Store adapter passes these. `open` gives an empty one, and a staging whose objects it can promote. */
export function storeContract(
  name: string,
  open: () => Promise<{ store: Store; staging: Staging }>,
) {
  describe(`${name} as a Store`, () => {
    for (const size of [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 7])
      test(`gives back ${size} promoted bytes`, async () => {
        const { store, staging } = await open();
        const bytes = randomBytes(size);
        const key = newKey();
        const reader = await staged(staging, bytes);
        await store.promote(reader, key, size, never);
        await reader.close();
        assert.ok((await stored(store, key)).equals(bytes));
      });

    test('reads at any offset, short only at the end', async () => {
      const { store, staging } = await open();
      const key = newKey();
      const reader = await staged(staging, Buffer.from('0123456789'));
      await store.promote(reader, key, 10, never);
      await reader.close();
      const object = await store.open(key);
      const into = Buffer.alloc(4);
      assert.equal(await object.read(into, 3), 4);
      assert.equal(into.toString(), '3456');
      assert.equal(await object.read(into, 8), 2);
      assert.equal(await object.read(into, 10), 0);
      await object.close();
    });

    test('leaves the staged object where it is', async () => {
      const { store, staging } = await open();
      const reader = await staged(staging, Buffer.from('kept'));
      await store.promote(reader, newKey(), 4, never);
      assert.equal(await reader.watermark(), 4);
      assert.equal((await collected(staging.list())).length, 1);
      await reader.close();
    });

    test('keeps its bytes when the staged object goes', async () => {
      const { store, staging } = await open();
      const key = newKey();
      const reader = await staged(staging, Buffer.from('kept'));
      await store.promote(reader, key, 4, never);
      await reader.close();
      for await (const one of staging.list()) await staging.remove(one);
      assert.equal((await stored(store, key)).toString(), 'kept');
    });

    test('takes no more than the size that it is told', async () => {
      const { store, staging } = await open();
      const key = newKey();
      const reader = await staged(staging, Buffer.from('wanted, and not'));
      await store.promote(reader, key, 6, never);
      await reader.close();
      assert.equal((await stored(store, key)).toString(), 'wanted');
    });

    test('refuses to write a key twice, and keeps the first bytes', async () => {
      const { store, staging } = await open();
      const key = newKey();
      const first = await staged(staging, Buffer.from('first'));
      const second = await staged(staging, Buffer.from('other'));
      await store.promote(first, key, 5, never);
      await assert.rejects(store.promote(second, key, 5, never), ObjectExists);
      assert.equal((await stored(store, key)).toString(), 'first');
      await first.close();
      await second.close();
    });

    test('lets one of two writers of a key win', async () => {
      const { store, staging } = await open();
      const key = newKey();
      const readers = await Promise.all(
        ['aaaa', 'bbbb'].map((content) => staged(staging, Buffer.from(content))),
      );
      const ends = await Promise.allSettled(
        readers.map((reader) => store.promote(reader, key, 4, never)),
      );
      const winner = ends.findIndex(({ status }) => status === 'fulfilled');
      assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1);
      assert.equal((await stored(store, key)).toString(), winner === 0 ? 'aaaa' : 'bbbb');
      for (const reader of readers) await reader.close();
    });

    test('stores nothing for a signal that has aborted', async () => {
      const { store, staging } = await open();
      const key = newKey();
      // Longer than what it is told to take, so that it is copied everywhere.
      const reader = await staged(staging, Buffer.from('some bytes'));
      const reason = new Error('stop');
      await assert.rejects(store.promote(reader, key, 4, AbortSignal.abort(reason)), reason);
      await assert.rejects(store.open(key), ObjectMissing);
      assert.deepEqual(await collected(store.list()), []);
      await reader.close();
    });

    test('names what is missing', async () => {
      const { store } = await open();
      await assert.rejects(store.open(newKey()), ObjectMissing);
    });

    test('lists every key, removes one and leaves its neighbours', async () => {
      const { store, staging } = await open();
      const [imageId, uploadId] = [randomUUID(), randomUUID()];
      const keys = [
        storeKey(imageId, uploadId, 1),
        storeKey(imageId, uploadId, 12),
        storeKey(imageId, randomUUID(), 1),
        newKey(),
      ];
      const reader = await staged(staging, Buffer.from('bytes'));
      for (const key of keys) await store.promote(reader, key, 5, never);
      await reader.close();
      assert.deepEqual([...(await collected(store.list()))].sort(), [...keys].sort());
      await store.remove(storeKey(imageId, uploadId, 1));
      assert.deepEqual([...(await collected(store.list()))].sort(), keys.slice(1).sort());
      for (const key of keys) await store.remove(key);
      assert.deepEqual(await collected(store.list()), []);
    });
  });
}
