import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { collected } from '../support/collected.ts';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { factsOf } from './facts.ts';
import { assertHolds, newImage, shownImage, slowly, statusOf } from './images.ts';
import { startTree, type Tree } from './tree.ts';

// P2 and P6 for copies: whoever dies, each store has the image or nothing, and the image is active all the while.

const ids = ['one', 'two', 'three'] as const;

let tree: Tree;
let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'daguerre-copies-'));
  const stores = ids.map((id) => ({ id, type: 'file', dir: join(root, id) }));
  const file = join(root, 'config.yaml');
  await writeFile(file, JSON.stringify({ stores, 'default-store': 'one' }));
  tree = await startTree(['--lease-ms', '2000', '--config', file]);
});
after(async () => {
  await tree?.stop();
  await rm(root, { recursive: true, force: true });
});

/** Store by store, how many objects of the image it holds. */
const held = (imageId: string): Promise<readonly number[]> =>
  Promise.all(
    ids.map(async (id) => {
      const keys = await collected(filesystemStore(join(root, id)).list());
      return keys.filter((key) => key.startsWith(imageId)).length;
    }),
  );

const fields = async (id: string) =>
  (await shownImage(tree.api, id)) as unknown as Record<string, string>;

const ended = (id: string): Promise<unknown> =>
  until('the import to be over', async () => {
    const { os_glance_import_task, os_glance_importing_to_stores } = await fields(id);
    return os_glance_import_task === undefined && os_glance_importing_to_stores === '';
  });

async function uploaded(token: string) {
  const content = contentOf(token, 400_000);
  const id = await newImage(tree.api);
  assert.equal(statusOf(await tree.api.upload(id, slowly(content, 0))), 204);
  return { id, content };
}

const importInto = async (id: string, document: object): Promise<void> => {
  const answer = await tree.api.json('POST', `/v2/images/${id}/import`, document);
  assert.equal(statusOf(answer), 202);
};

for (const step of [
  'worker.ingest-claimed',
  'worker.copy-half',
  'worker.data-promoted',
  'worker.copy-recorded',
  'worker.image-activated',
] as const)
  test(`copies whose worker dies at ${step} are made once each`, async () => {
    const { id, content } = await uploaded(step);
    await tree.dieAt(step);
    await importInto(id, { method: { name: 'copy-image' }, all_stores: true });
    await until(`a process to die at ${step}`, tree.died);
    await ended(id);
    const { status, stores, os_glance_failed_import } = await fields(id);
    assert.deepEqual([status, stores, os_glance_failed_import], ['active', 'one,two,three', '']);
    await assertHolds(tree.api, id, content);
    await until('one object to be left in each store', async () =>
      (await held(id)).every((count) => count === 1),
    );
    const facts = (await factsOf(tree, id)).filter(({ type }) => type === 'ImageDataStored');
    assert.equal(facts.length, 3);
  });

for (const step of ['worker.data-promoted', 'worker.copy-recorded'] as const)
  test(`an import to several stores whose worker dies at ${step} is finished by another`, async () => {
    const content = contentOf(`several ${step}`, 400_000);
    const id = await newImage(tree.api);
    assert.equal(statusOf(await tree.api.stage(id, slowly(content, 0))), 204);
    await tree.dieAt(step);
    await importInto(id, { method: { name: 'glance-direct' }, all_stores: true });
    await until(`a process to die at ${step}`, tree.died);
    await ended(id);
    assert.equal((await fields(id)).stores, 'one,two,three');
    await assertHolds(tree.api, id, content);
    await until('one object to be left in each store', async () =>
      (await held(id)).every((count) => count === 1),
    );
    const recorded = (await factsOf(tree, id)).filter(({ type }) => type === 'ImageDataStored');
    assert.deepEqual(
      recorded.map(({ data }) => data.store),
      [...ids],
    );
  });
