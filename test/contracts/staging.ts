import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { type StagedKey, StagedMissing, type Staging } from '../../domain/staging.ts';
import { collected } from '../support/collected.ts';

const newKey = (imageId: string = randomUUID()): StagedKey => ({ imageId, uploadId: randomUUID() });
const text = (content: string): Uint8Array => Buffer.from(content);

const listed = async (staging: Staging): Promise<readonly string[]> =>
  (await collected(staging.list())).map((key) => `${key.imageId}/${key.uploadId}`).sort();

/** Every Staging adapter passes these. `open` gives an empty one. */
export function stagingContract(name: string, open: () => Promise<Staging>) {
  describe(`${name} as Staging`, () => {
    test('gives back what was written, in order', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      await writer.write([text('one '), text(''), text('two ')]);
      await writer.write([text('three')]);
      assert.equal(await writer.seal(), 13);
      const reader = await staging.open(key);
      const into = new Uint8Array(20);
      assert.equal(await reader.read(into, 0), 13);
      assert.equal(Buffer.from(into.subarray(0, 13)).toString(), 'one two three');
      await reader.close();
    });

    test('shows bytes below the watermark while the object grows', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      const reader = await staging.open(key);
      assert.equal(await reader.watermark(), 0);
      await writer.write([text('abc')]);
      assert.equal(await reader.watermark(), 3);
      await writer.write([text('def')]);
      assert.equal(await reader.watermark(), 6);
      const into = new Uint8Array(4);
      assert.equal(await reader.read(into, 1), 4);
      assert.equal(Buffer.from(into).toString(), 'bcde');
      assert.equal(await reader.read(into, 4), 2);
      assert.equal(await reader.read(into, 6), 0);
      await reader.close();
      await writer.abort();
    });

    test('seals an object of no bytes', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      assert.equal(await writer.seal(), 0);
      assert.deepEqual(await listed(staging), [`${key.imageId}/${key.uploadId}`]);
    });

    test('makes an object once', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      await writer.write([text('first')]);
      await assert.rejects(staging.create(key));
      assert.equal(await writer.seal(), 5);
    });

    test('names what is missing', async () => {
      const staging = await open();
      await assert.rejects(staging.open(newKey()), StagedMissing);
    });

    test('leaves nothing of an aborted object', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      await writer.write([text('half')]);
      await writer.abort();
      await assert.rejects(staging.open(key), StagedMissing);
      assert.deepEqual(await listed(staging), []);
    });

    test('removes one object and leaves its neighbours', async () => {
      const staging = await open();
      const first = newKey();
      const second = newKey(first.imageId);
      for (const key of [first, second]) await (await staging.create(key)).seal();
      await staging.remove(first);
      assert.deepEqual(await listed(staging), [`${second.imageId}/${second.uploadId}`]);
      await staging.remove(second);
      assert.deepEqual(await listed(staging), []);
    });

    test('removes what is not there without complaint', async () => {
      const staging = await open();
      await staging.remove(newKey());
    });

    test('goes on reading an object that was removed', async () => {
      const staging = await open();
      const key = newKey();
      const writer = await staging.create(key);
      await writer.write([text('still here')]);
      await writer.seal();
      const reader = await staging.open(key);
      await staging.remove(key);
      const into = new Uint8Array(10);
      assert.equal(await reader.read(into, 0), 10);
      assert.equal(Buffer.from(into).toString(), 'still here');
      await reader.close();
    });
  });
}
