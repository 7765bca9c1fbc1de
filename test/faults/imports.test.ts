import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { factsOf } from './facts.ts';
import { assertHolds, bodyOf, newImage, shownImage, slowly, statusOf } from './images.ts';
import { startTree, type Tree } from './tree.ts';

// P2 for what is staged and imported: whoever dies, it ends in a definite state with a reason.

let tree: Tree;
before(async () => {
  tree = await startTree(['--lease-ms', '2000']);
});
after(() => tree?.stop());

const importOf = (id: string) =>
  tree.api.json('POST', `/v2/images/${id}/import`, { method: { name: 'glance-direct' } });

const reached = (id: string, status: string): Promise<unknown> =>
  until(`image ${id} to be ${status}`, async () => {
    const answer = await tree.api.json('GET', `/v2/images/${id}`);
    return statusOf(answer) === 200 && (bodyOf(answer) as { status: string }).status === status;
  });

async function taskOf(id: string): Promise<{ status: string; message: string } | undefined> {
  const { tasks } = bodyOf(await tree.api.json('GET', `/v2/images/${id}/tasks`)) as {
    tasks: { status: string; message: string }[];
  };
  return tasks[0];
}

for (const step of [
  'gateway.body-half',
  'gateway.body-received',
  'gateway.staging-sealed',
] as const)
  test(`staging whose gateway dies at ${step} is undone, and can be done again`, async () => {
    const content = contentOf(step, 400_000);
    const id = await newImage(tree.api);
    await tree.dieAt(step);
    assert.notEqual(statusOf(await tree.api.stage(id, slowly(content, 100))), 204);
    await until(`a process to die at ${step}`, tree.died);
    await tree.answers();
    await reached(id, 'queued');
    assert.match((await shownImage(tree.api, id)).os_glance_failed_upload ?? '', /died/);
    assert.equal(statusOf(await tree.api.stage(id, slowly(content, 0))), 204);
    assert.equal(statusOf(await importOf(id)), 202);
    await reached(id, 'active');
    await assertHolds(tree.api, id, content);
  });

test('what is durable in staging outlives the gateway that received it, and everything', async () => {
  const content = contentOf('staged', 400_000);
  const id = await newImage(tree.api);
  await tree.dieAt('gateway.upload-staged');
  await tree.api.stage(id, slowly(content, 0));
  await until('the gateway to die', tree.died);
  await tree.answers();
  await reached(id, 'uploading');
  await tree.now().killAll();
  await tree.restart();
  await reached(id, 'uploading');
  assert.equal(statusOf(await importOf(id)), 202);
  await reached(id, 'active');
  await assertHolds(tree.api, id, content);
});

for (const step of [
  'worker.job-taken',
  'worker.ingest-claimed',
  'worker.digests-half',
  'worker.digests-done',
  'worker.data-promoted',
  'worker.image-activated',
] as const)
  test(`an import whose worker dies at ${step} is finished by another, with its task`, async () => {
    const content = contentOf(step, 400_000);
    const id = await newImage(tree.api);
    assert.equal(statusOf(await tree.api.stage(id, slowly(content, 0))), 204);
    await tree.dieAt(step);
    assert.equal(statusOf(await importOf(id)), 202);
    await until(`a process to die at ${step}`, tree.died);
    await reached(id, 'active');
    await assertHolds(tree.api, id, content);
    await until('the task to succeed', async () => (await taskOf(id))?.status === 'success');
    const ends = (await factsOf(tree, id)).filter(({ type }) => type === 'ImportCompleted');
    assert.equal(ends.length, 1);
  });

test('an import that was accepted survives the end of everything', async () => {
  const content = contentOf('everything', 400_000);
  const id = await newImage(tree.api);
  assert.equal(statusOf(await tree.api.stage(id, slowly(content, 0))), 204);
  assert.equal(statusOf(await importOf(id)), 202);
  await tree.now().killAll();
  await tree.restart();
  await reached(id, 'active');
  await assertHolds(tree.api, id, content);
});

test('an import that kills every worker is given up, and its owner can read why', async () => {
  const id = await newImage(tree.api);
  await tree.api.stage(id, slowly(contentOf('poison', 100_000), 0));
  await tree.dieAt('worker.ingest-claimed', 'always');
  await importOf(id);
  await reached(id, 'queued');
  await tree.spare();
  const shown = await shownImage(tree.api, id);
  assert.match(shown.os_glance_failed_upload ?? '', /workers died/);
  const task = await taskOf(id);
  assert.deepEqual([task?.status, /workers died/.test(task?.message ?? '')], ['failure', true]);
});
