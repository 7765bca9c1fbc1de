import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { filesBelow } from './disk.ts';
import { assertHolds, newImage, queuedAgain, shownImage, slowly, statusOf } from './images.ts';
import { logWatch } from './log-watch.ts';
import { startTree, type Tree } from './tree.ts';

let tree: Tree;
before(async () => {
  tree = await startTree();
});
after(() => tree?.stop());

/** The gateway notices by itself: nobody has to die, no lease has to end. */
const noticedWithinMs = 5_000;

for (const chunked of [false, true])
  test(`a client that hangs up in a ${chunked ? 'chunked' : 'declared'} body leaves a queued image and nothing staged`, async () => {
    const content = contentOf(`hang-up ${chunked}`, 3_000_000);
    const id = await newImage(tree.api);
    await tree.api.upload(id, { ...slowly(content, 200, chunked), hangUpAfter: 2_000_000 });
    await queuedAgain(tree.api, id, noticedWithinMs);
    await until('staging to be empty', async () => {
      return (await filesBelow(join(tree.dataDir, 'staging'))).length === 0;
    });
    assert.equal(statusOf(await tree.api.upload(id, slowly(content, 0, chunked))), 204);
    await assertHolds(tree.api, id, content);
  });

test('a client that hangs up while it waits for its answer has an active image all the same', async () => {
  const content = contentOf('after the last byte', 3_000_000);
  const id = await newImage(tree.api);
  const watch = logWatch(tree.now().postgresUrl);
  const worker = await tree.now().part('worker');
  await tree.dieAt('worker.job-taken', 'stop');
  const staged = until('the upload to be whole', async () => {
    await watch.read();
    const state = watch.state(id);
    return state.status === 'saving' && state.upload.stagedSize !== null && tree.died();
  });
  await tree.api.upload(id, { ...slowly(content, 100), hangUpWhen: staged });
  assert.equal((await shownImage(tree.api, id)).status, 'saving');
  process.kill(worker, 'SIGCONT');
  const active = async () => (await shownImage(tree.api, id)).status === 'active';
  await until('the image to become active', active, { timeoutMs: 15_000 });
  await assertHolds(tree.api, id, content);
});

test('an upload whose gateway dies after its last byte becomes active by itself', async () => {
  const content = contentOf('after the gateway', 3_000_000);
  const id = await newImage(tree.api);
  await tree.dieAt('gateway.upload-staged');
  await tree.api.upload(id, slowly(content, 100));
  await tree.answers();
  const active = async () => (await shownImage(tree.api, id)).status === 'active';
  await until('the image to become active', active, { timeoutMs: 15_000 });
  await assertHolds(tree.api, id, content);
});

test('Postgres restarted in the middle of a body does not cost the upload', async () => {
  const content = contentOf('over a restart', 3_000_000);
  const id = await newImage(tree.api);
  const uploading = tree.api.upload(id, slowly(content, 1_500));
  await until('the upload to have begun', async () => {
    return (await shownImage(tree.api, id)).status === 'saving';
  });
  await tree.now().kill('postgres');
  assert.equal(statusOf(await uploading), 204);
  await tree.answers();
  await assertHolds(tree.api, id, content);
});
