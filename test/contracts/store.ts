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

async function stored(store: Pick<Store, 'open'>, key: string): Promise<Buffer> {
  const object = await store.open(key);
  try {
    const bytes = Buffer.alloc(object.size);
    assert.equal(await object.read(bytes, 0), object.size);
    return bytes;
  } finally {
    await object.close();
  }
}

/** What can be read of a store, and how the test puts something into it: `put` gives the key. */
export interface Readable {
  readonly reader: Pick<Store, 'open'>;
  put(bytes: Uint8Array): Promise<string>;
  /** A key of this store's that nothing lies under. */
  missing(): string;
}

/** Every store that can be read passes these, whoever writes it. */
export function readContract(name: string, open: () => Promise<Readable>) {
  describe(`${name} as a Store to read from`, () => {
    for (const size of [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 7])
      test(`gives back ${size} bytes`, async () => {
        const { reader, put } = await open();
        const bytes = randomBytes(size);
        assert.ok((await stored(reader, await put(bytes))).equals(bytes));
      });

    test('reads at any offset, short only at the end', async () => {
      const { reader, put } = await open();
      const object = await reader.open(await put(Buffer.from('0123456789')));
      assert.equal(object.size, 10);
      const into = Buffer.alloc(4);
      assert.equal(await object.read(into, 3), 4);
      assert.equal(into.toString(), '3456');
      assert.equal(await object.read(into, 8), 2);
      assert.equal(into.subarray(0, 2).toString(), '89');
      assert.equal(await object.read(into, 10), 0);
      assert.equal(await object.read(into, 0), 4);
      assert.equal(into.toString(), '0123');
      await object.close();
    });

    test('reads in pieces of any length', async () => {
      const { reader, put } = await open();
      const bytes = randomBytes(300_000);
      const object = await reader.open(await put(bytes));
      const pieces: Buffer[] = [];
      for (let offset = 0; offset < bytes.length; ) {
        const into = Buffer.alloc(1 + (offset % 70_001));
        const count = await object.read(into, offset);
        pieces.push(into.subarray(0, count));
        offset += count;
      }
      await object.close();
      assert.ok(Buffer.concat(pieces).equals(bytes));
    });

    test('gives the same bytes to several readers at once', async () => {
      const { reader, put } = await open();
      const bytes = randomBytes(500_000);
      const key = await put(bytes);
      for (const got of await Promise.all([1, 2, 3].map(() => stored(reader, key))))
        assert.ok(got.equals(bytes));
    });

    test('names what is missing', async () => {
      const { reader, missing } = await open();
      await assert.rejects(reader.open(missing()), ObjectMissing);
    });
  });
}

/** Every Store adapter passes these. `open` gives an empty one, and a staging whose objects it can promote. */
export function storeContract(
  name: string,
  open: () => Promise<{ store: Store; staging: Staging }>,
) {
  readContract(name, async () => {
    const { store, staging } = await open();
    return {
      reader: store,
      missing: newKey,
      async put(bytes) {
        const key = newKey();
        const reader = await staged(staging, bytes);
        await store.promote(reader, key, bytes.length, never);
        await reader.close();
        return key;
      },
    };
  });

  describe(`${name} as a Store`, () => {
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
