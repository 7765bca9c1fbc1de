import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { ownKeys } from '../../domain/image/state.ts';
import { chanceOf } from './chance.ts';
import { type Checked, problemsAtRest } from './checker.ts';
import { contentOf } from './content.ts';
import { newImage, slowly, statusOf } from './images.ts';
import { logWatch } from './log-watch.ts';
import { oracle } from './oracle.ts';
import { startTree, type Tree } from './tree.ts';

// The faults that must never be found are made here by hand: a checker that finds nothing proves nothing.

let tree: Tree;
let pool: pg.Pool;
before(async () => {
  tree = await startTree();
  pool = new pg.Pool({ connectionString: tree.now().postgresUrl, max: 1 });
});
after(async () => {
  await pool?.end();
  await tree?.stop();
});

/** An active image, and a checker that was told of it. */
async function uploaded(name: string) {
  const { api, stagingDir, storeDir } = tree;
  const content = contentOf(name, 10_000);
  const id = await newImage(api);
  assert.equal(statusOf(await api.upload(id, slowly(content, 0))), 204);
  const witness = oracle();
  witness.keep(content);
  const { postgresUrl } = tree.now();
  const watch = logWatch(postgresUrl);
  await watch.read();
  for (const one of watch.images.keys())
    witness.learn(one, 'under fault').life.mayHaveBecome('queued');
  const image = witness.learn(id, 'under fault');
  image.life.became(`active ${content.id}`);
  const checked: Checked = {
    api,
    stagingDir,
    storeDir,
    postgresUrl,
    oracle: witness,
    watch,
    chance: chanceOf(1),
    sweptWithinMs: 2_000,
  };
  const state = watch.state(id);
  const key = ownKeys(state)[0] ?? '';
  const check = async (): Promise<string> => {
    const problems = await problemsAtRest(checked, new Set());
    return problems.map(({ kind, what }) => `${kind}: ${what}`).join('\n');
  };
  return { id, image, key, check };
}

test('the checker tells bytes that are gone, and bytes that nobody names', async () => {
  const { key, check } = await uploaded('bytes');
  const store = tree.storeDir;
  const orphan = join(store, dirname(key), '7');
  await rm(join(store, key));
  await mkdir(dirname(orphan), { recursive: true });
  await writeFile(orphan, 'orphan');
  const problems = await check();
  assert.match(problems, new RegExp(`lost: the store has no ${key}`));
  assert.match(problems, /does not download/);
  assert.match(problems, /orphan: in the store: .*\/7/);
});

test('the checker tells a row of the read model that the log does not say', async () => {
  const { id, check } = await uploaded('row');
  const { rows } = await pool.query<{ number: string }>(
    `select number from read_model.generation where model = 'images' and state = 'live'`,
  );
  await pool.query(`update images_${rows[0]?.number}.image set min_disk = 7 where id = $1`, [id]);
  const problems = await check();
  assert.match(problems, new RegExp(`image ${id}: live .*"min_disk":7.*rebuilt .*"min_disk":0`));
});

test('the checker tells an answer that is no longer true', async () => {
  const { id, image, check } = await uploaded('answer');
  image.name.became('another name');
  assert.match(await check(), new RegExp(`image ${id}: its name`));
});

test('the checker tells a gap in the log', async () => {
  await uploaded('gap');
  await pool.query(`
    begin;
    alter table events disable trigger user;
    delete from events where position = (select max(position) - 1 from events);
    alter table events enable trigger user;
    commit`);
  const watch = logWatch(tree.now().postgresUrl);
  await watch.read();
  const problems = watch.problems.join('\n');
  assert.match(problems, /position \d+ comes after \d+/);
  assert.match(problems, /revision \d+ where \d+ was due/);
});
