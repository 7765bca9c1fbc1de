import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type StagedKey, StagedMissing, type Staging } from '../../domain/staging.ts';
import { collected } from '../support/collected.ts';

const newKey = (): StagedKey => ({ imageId: randomUUID(), uploadId: randomUUID() });
const text = (content: string): Uint8Array => Buffer.from(content);
const nothing = { note: null, written: [], sealed: null };

async function contentOf(staging: Staging, key: StagedKey): Promise<string> {
  const reader = await staging.open(key);
  const into = Buffer.alloc(await reader.watermark());
  await reader.read(into, 0);
  await reader.close();
  return into.toString();
}

/** Every Staging adapter passes these, too. `open` gives an empty one. */
export function partialStagingContract(name: string, open: () => Promise<Staging>) {
  describe(`${name} as Staging of partial objects`, () => {
    test('makes an object that is not there', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      assert.deepEqual(object.state(), nothing);
      assert.deepEqual(await collected(staging.list()), [key]);
      await object.close();
    });

    test('takes bytes in any order and seals them whole', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      await object.writeAt(6, [text('thr'), text('ee')]);
      await object.writeAt(0, [text('one')]);
      assert.deepEqual(object.state().written, [
        { start: 0, end: 3 },
        { start: 6, end: 11 },
      ]);
      await object.writeAt(3, [text('two')]);
      await object.seal(11, { etag: 'x' });
      await object.close();
      assert.equal(await contentOf(staging, key), 'onetwothree');
    });

    test('leaves of a writer what its last checkpoint says, bytes and note', async () => {
      const staging = await open();
      const key = newKey();
      const dead = await staging.resume(key);
      await dead.writeAt(0, [text('abc')]);
      await dead.writeAt(6, [text('ghi')]);
      await dead.checkpoint({ version: 1 });
      await dead.writeAt(3, [text('???')]);
      const object = await staging.resume(key);
      assert.deepEqual(object.state(), {
        note: { version: 1 },
        written: [
          { start: 0, end: 3 },
          { start: 6, end: 9 },
        ],
        sealed: null,
      });
      const into = Buffer.alloc(9);
      assert.equal(await object.read(into, 0), 9);
      assert.equal(into.subarray(0, 3).toString() + into.subarray(6).toString(), 'abcghi');
      await object.close();
    });

    test('remembers that an object is whole, and lets nobody write to it', async () => {
      const staging = await open();
      const key = newKey();
      const first = await staging.resume(key);
      await first.writeAt(0, [text('whole and more')]);
      await first.seal(5, { etag: 'x' });
      await first.close();
      const object = await staging.resume(key);
      const written = [{ start: 0, end: 5 }];
      assert.deepEqual(object.state(), { note: { etag: 'x' }, written, sealed: 5 });
      await assert.rejects(object.writeAt(0, [text('W')]), TypeError);
      await assert.rejects(object.reset(), TypeError);
      await object.close();
      assert.equal(await contentOf(staging, key), 'whole');
    });

    test('seals an object of no bytes', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      await object.seal(0, {});
      await object.close();
      const again = await staging.resume(key);
      assert.deepEqual(again.state(), { note: {}, written: [], sealed: 0 });
      await again.close();
    });

    test('does not seal what has a gap', async () => {
      const staging = await open();
      const object = await staging.resume(newKey());
      await object.writeAt(0, [text('a')]);
      await object.writeAt(2, [text('c')]);
      await assert.rejects(object.seal(3, {}), RangeError);
      await assert.rejects(object.seal(4, {}), RangeError);
      await object.writeAt(1, [text('b')]);
      await object.seal(3, {});
      await object.close();
    });

    test('shows no byte beyond a gap, and none that could be lost', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      const reader = await staging.open(key);
      await object.writeAt(4, [text('efgh')]);
      await object.checkpoint({});
      assert.equal(await reader.watermark(), 0);
      await object.writeAt(0, [text('abc')]);
      assert.equal(await reader.watermark(), 0);
      await object.checkpoint({});
      assert.equal(await reader.watermark(), 3);
      await object.writeAt(3, [text('d')]);
      await object.checkpoint({});
      assert.equal(await reader.watermark(), 8);
      await reader.close();
      await object.close();
    });

    test('forgets bytes and note at a reset', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      await object.writeAt(0, [text('the first version')]);
      await object.checkpoint({ version: 1 });
      await object.reset();
      assert.deepEqual(object.state(), nothing);
      await object.writeAt(0, [text('the 2nd')]);
      await object.seal(7, { version: 2 });
      await object.close();
      assert.equal(await contentOf(staging, key), 'the 2nd');
    });

    test('lets a writer do nothing once another has the object', async () => {
      const staging = await open();
      const key = newKey();
      const slow = await staging.resume(key);
      await slow.writeAt(0, [text('old')]);
      await slow.checkpoint({ by: 'slow' });
      const object = await staging.resume(key);
      for (const step of [
        slow.writeAt(0, [text('OLD')]),
        slow.checkpoint({}),
        slow.seal(3, {}),
        slow.reset(),
      ])
        await assert.rejects(step, StagedMissing);
      await slow.close();
      await object.writeAt(3, [text(' and new')]);
      await object.seal(11, { by: 'object' });
      await object.close();
      assert.equal(await contentOf(staging, key), 'old and new');
    });

    test('goes on where a writer closed', async () => {
      const staging = await open();
      const key = newKey();
      const first = await staging.resume(key);
      await first.writeAt(0, [text('kept ')]);
      await first.checkpoint({ n: 1 });
      await first.writeAt(5, [text('lost')]);
      await first.close();
      await first.close();
      const second = await staging.resume(key);
      assert.deepEqual(second.state().written, [{ start: 0, end: 5 }]);
      await second.close();
    });

    test('has a workspace that goes with the object, or none at all', async () => {
      const staging = await open();
      const key = newKey();
      await (await staging.resume(key)).close();
      const first = await staging.workspace(key);
      if (first === null) return;
      await writeFile(join(first, 'made'), 'of it');
      const second = await staging.workspace(key);
      assert.ok(second !== null && second !== first);
      assert.deepEqual(await readdir(second), []);
      await assert.rejects(readdir(first), { code: 'ENOENT' });
      await writeFile(join(second, 'made'), 'of it');
      assert.deepEqual(await collected(staging.list()), [key]);
      await staging.remove(key);
      await assert.rejects(readdir(second), { code: 'ENOENT' });
    });

    test('removes all of an object, and its writer notices', async () => {
      const staging = await open();
      const key = newKey();
      const object = await staging.resume(key);
      await object.writeAt(0, [text('abc')]);
      await object.checkpoint({});
      await staging.remove(key);
      assert.deepEqual(await collected(staging.list()), []);
      await assert.rejects(staging.open(key), StagedMissing);
      await assert.rejects(object.checkpoint({}), StagedMissing);
      await object.close();
      assert.deepEqual(await collected(staging.list()), []);
      const again = await staging.resume(key);
      assert.deepEqual(again.state(), nothing);
      await again.close();
    });
  });
}
