import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';
import { type Content, contentOf } from './content.ts';
import { factsOf, happened } from './facts.ts';
import { assertHolds, newImage, slowly, statusOf } from './images.ts';
import { startTree, type Tree } from './tree.ts';

// Delayed deletion: what is kept can be restored, what is due goes, whoever dies.

const main = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

let tree: Tree;

const cli = (...args: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const all = [main, ...args, '--data-dir', tree.dataDir];
    execFile(process.execPath, all, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
  });

async function uploaded(name: string): Promise<{ id: string; content: Content }> {
  const content = contentOf(name, 300_000);
  const id = await newImage(tree.api);
  assert.equal(statusOf(await tree.api.upload(id, slowly(content, 0))), 204);
  return { id, content };
}

const removed = async (id: string): Promise<void> =>
  assert.equal(statusOf(await tree.api.json('DELETE', `/v2/images/${id}`)), 204);

const statusNow = async (id: string): Promise<number | string> =>
  statusOf(await tree.api.json('GET', `/v2/images/${id}`));

describe('images that are kept for an hour', () => {
  before(async () => {
    tree = await startTree(['--delayed-delete', '--scrub-time', '3600']);
  });
  after(() => tree?.stop());

  test('are restored by an operator, of whom the log tells', async () => {
    const { id, content } = await uploaded('restored');
    await removed(id);
    assert.equal(await statusNow(id), 404);
    const { out: listed } = await cli('deleted');
    assert.match(listed, new RegExp(`^${id}  until \\d{4}-\\d\\d-\\d\\dT.*300000 bytes`, 'm'));
    const { code, out } = await cli('restore', id);
    assert.deepEqual([code, out], [0, `${id}: restored\n`]);
    await until('the image to be shown again', async () => (await statusNow(id)) === 200);
    await assertHolds(tree.api, id, content);
    const last = (await factsOf(tree, id)).at(-1);
    assert.deepEqual(
      [last?.type, last?.metadata.actor],
      ['ImageRestored', { kind: 'system', part: 'cli' }],
    );
    assert.match(last?.metadata.personal ?? '', /^[0-9a-f]{64}$/);
    const again = await cli('restore', id);
    assert.equal(again.code, 1);
    assert.match(again.err, /only what is pending_delete can be restored/);
  });

  test('are whole though everything dies between deletion and restore', async () => {
    const { id, content } = await uploaded('everything');
    await removed(id);
    await tree.now().killAll();
    await tree.restart();
    assert.equal(await statusNow(id), 404);
    assert.equal((await cli('restore', id)).code, 0);
    await until('the image to be shown again', async () => (await statusNow(id)) === 200);
    await assertHolds(tree.api, id, content);
  });

  test('cannot be restored that were never there', async () => {
    const unknown = '00000000-0000-4000-8000-000000000000';
    const { code, err } = await cli('restore', unknown);
    assert.deepEqual([code, err], [1, `${unknown}: There is no such image.\n`]);
    assert.equal((await cli('restore')).code, 2);
  });
});

describe('images that are due', () => {
  before(async () => {
    tree = await startTree(['--delayed-delete', '--scrub-time', '1', '--lease-ms', '2000']);
  });
  after(() => tree?.stop());

  for (const step of [
    'scrubber.image-due',
    'scrubber.image-deleted',
    'sweeper.data-removed',
  ] as const)
    test(`go though the scrubber dies at ${step}`, async () => {
      const { id } = await uploaded(step);
      await tree.dieAt(step);
      await removed(id);
      await until(`a process to die at ${step}`, tree.died);
      await until('the bytes to be gone', () => happened(tree, id, 'ImageDataRemoved'));
      assert.equal(await statusNow(id), 404);
      const types = (await factsOf(tree, id)).map(({ type }) => type);
      assert.deepEqual(types.slice(-3), [
        'ImageDeletionScheduled',
        'ImageDeleted',
        'ImageDataRemoved',
      ]);
      const { code, err } = await cli('restore', id);
      assert.deepEqual([code, /is deleted/.test(err)], [1, true]);
    });
});
