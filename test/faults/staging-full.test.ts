import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { filesBelow } from './disk.ts';
import { assertHolds, newImage, queuedAgain, slowly, statusOf } from './images.ts';
import { startTree } from './tree.ts';

test('a full staging disk refuses the uploads that do not fit and keeps nothing of them', async (context) => {
  const disk = await smallDisk(8);
  if (disk === undefined)
    return context.diagnostic('no right to mount: the faulty files of test/staging stand in');
  const tree = await startTree(['--staging-dir', disk.directory]);
  try {
    const empty = () =>
      until('staging to be empty', async () => (await filesBelow(disk.directory)).length === 0);
    const big = contentOf('too big', 12_000_000);
    for (const chunked of [false, true]) {
      const id = await newImage(tree.api);
      assert.equal(statusOf(await tree.api.upload(id, slowly(big, 100, chunked))), 413);
      await queuedAgain(tree.api, id, 5_000);
      await empty();
    }
    const small = contentOf('small enough', 5_000_000);
    const ids = await Promise.all([newImage(tree.api), newImage(tree.api)]);
    const answers = await Promise.all(ids.map((id) => tree.api.upload(id, slowly(small, 300))));
    const statuses = answers.map(statusOf);
    assert.ok(
      statuses.every((status) => status === 204 || status === 413),
      statuses.join(),
    );
    for (const [index, id] of ids.entries()) {
      await empty();
      if (statuses[index] === 413)
        assert.equal(statusOf(await tree.api.upload(id, slowly(small, 100))), 204);
      await assertHolds(tree.api, id, small);
    }
  } finally {
    await tree.stop();
    await disk.unmount();
  }
});
