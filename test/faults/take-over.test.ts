import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PipelineStep } from '../../domain/pipeline-steps.ts';
import { until } from '../support/until.ts';
import { unendedBoundMs } from './campaign.ts';
import { contentOf } from './content.ts';
import { assertHolds, newImage, queuedAgain, shownImage, slowly, statusOf } from './images.ts';
import { slackMs } from './slack.ts';
import { startTree, type Tree } from './tree.ts';

// P2 with the settings that everybody has.

let tree: Tree;
before(async () => {
  tree = await startTree();
});
after(() => tree?.stop());

/** Resolves when a process has died at the step, with the time that is left by the promise. */
async function death(step: PipelineStep): Promise<() => number> {
  await until(`a process to die at ${step}`, tree.died, { everyMs: 5 });
  const died = Date.now();
  return () => died + unendedBoundMs + slackMs() - Date.now();
}

for (const step of ['worker.ingest-claimed', 'worker.data-promoted'] as const)
  test(`an upload whose worker dies at ${step} is active 10 s later, and the client hears so`, async () => {
    const content = contentOf(step, 1_000_000);
    const id = await newImage(tree.api);
    await tree.dieAt(step);
    const uploading = tree.api.upload(id, slowly(content, 100));
    const left = await death(step);
    assert.equal(statusOf(await uploading), 204);
    assert.ok(left() > 0, `${-left()} ms late`);
    await assertHolds(tree.api, id, content);
  });

test('an upload whose gateway dies in the middle of its body is over 10 s later', async () => {
  const content = contentOf('half a body', 1_000_000);
  const id = await newImage(tree.api);
  await tree.dieAt('gateway.body-half');
  const uploading = tree.api.upload(id, slowly(content, 300));
  const left = await death('gateway.body-half');
  await uploading;
  await tree.answers();
  await queuedAgain(tree.api, id, left());
  assert.match((await shownImage(tree.api, id)).os_glance_failed_upload ?? '', /upload .* again/);
  assert.equal(statusOf(await tree.api.upload(id, slowly(content, 0))), 204);
  await assertHolds(tree.api, id, content);
});
