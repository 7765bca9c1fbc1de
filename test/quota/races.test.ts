import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mebibyte, type Site, startSite } from './site.ts';

const images = 25;
const bytes = 24 * mebibyte;

describe('one project at two gateways', () => {
  let site: Site;
  before(async () => {
    const limits = ['--image-count-quota', `${images}`, '--user-storage-quota', `${bytes}`];
    site = await startSite([...limits, '--image-uploading-quota', '50']);
  });
  after(() => site.stop());
  const gateway = (index: number): string => site.urls[index % 2 === 0 ? 0 : 1];
  const idOf = (answer: { json(): Record<string, unknown> }): string => String(answer.json().id);
  const count = (answers: readonly { readonly status: number }[], status: number): number =>
    answers.filter((answer) => answer.status === status).length;
  let made: readonly string[] = [];

  test('of many creates at once exactly as many succeed as there may be', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, index) => site.post(gateway(index))),
    );
    made = answers.filter(({ status }) => status === 201).map(idOf);
    t.diagnostic(
      `80 creates, limit ${images}: ${made.length} made, ${count(answers, 413)} refused`,
    );
    assert.deepEqual([count(answers, 201), count(answers, 413)], [images, 80 - images]);
    assert.deepEqual(await site.open(), []);
    assert.equal((await site.usage()).images, images);
  });

  test('what is deleted at one can be made at the other, at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [first = '', ...rest] = made;
      assert.equal((await site.delete(gateway(round), first)).status, 204);
      const next = await site.post(gateway(round + 1));
      assert.equal(next.status, 201, `round ${round}: ${next.text}`);
      assert.equal((await site.post(gateway(round))).status, 413);
      made = [...rest, idOf(next)];
    }
  });

  test('of many uploads at once exactly as many succeed as fit', async (t) => {
    const size = 2 * mebibyte;
    const answers = await Promise.all(
      made.slice(0, 20).map((id, index) => site.upload(gateway(index), id, new Uint8Array(size))),
    );
    const fit = bytes / size;
    t.diagnostic(
      `20 uploads, room for ${fit}: ${count(answers, 204)} active, ${count(answers, 413)} refused`,
    );
    assert.deepEqual([count(answers, 204), count(answers, 413)], [fit, 20 - fit]);
    assert.deepEqual(await site.open(), []);
    assert.equal((await site.usage()).bytes, bytes);
    const uploaded = made.filter((_, index) => answers[index]?.status === 204);
    for (const id of uploaded) await site.delete(gateway(0), id);
    made = made.filter((id) => !uploaded.includes(id));
  });

  test('uploads of unknown size race to the last byte, and none more fits', async (t) => {
    const pieces = [[3, 1, 2, 1.5], [2, 2, 2], [1, 4, 1.5], [4]].map((sizes) =>
      sizes.map((size) => size * mebibyte),
    );
    assert.equal(
      pieces.flat().reduce((sum, piece) => sum + piece, 0),
      bytes,
    );
    const ids = made.slice(0, pieces.length);
    const statuses = await Promise.all(
      ids.map((id, index) => site.stream(gateway(index), id, pieces[index] ?? [])),
    );
    const { bytes: used } = await site.usage();
    t.diagnostic(`uploads of unknown size: ${statuses.join(', ')}; ${used} of ${bytes} bytes used`);
    assert.deepEqual(statuses, [204, 204, 204, 204]);
    assert.equal(used, bytes);
    const [next = ''] = made.slice(pieces.length);
    assert.equal(await site.stream(gateway(1), next, [1]), 413);
    assert.equal((await site.upload(gateway(0), next, new Uint8Array(1))).status, 413);
    assert.equal((await site.upload(gateway(1), next, new Uint8Array(0))).status, 204);
    assert.deepEqual(await site.open(), []);
    const { staged: _, ...usage } = await site.usage();
    assert.deepEqual(usage, await site.shown());
  });
});
