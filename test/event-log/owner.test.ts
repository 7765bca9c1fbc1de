import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { takeOwnership } from '../../infra/postgres/embedded/owner.ts';

const childScript = fileURLToPath(new URL('./owner-child.js', import.meta.url));
const root = await mkdtemp(path.join(os.tmpdir(), 'daguerre-owner-'));
after(() => rm(root, { recursive: true, force: true }));
const newFile = async () => path.join(await mkdtemp(path.join(root, 'test-')), 'postgres.owner');

/** Resolves with what the process said when it ended in another way than by its own kill. */
async function ownedAndDied(file: string, rounds: number): Promise<string> {
  const child = spawn(process.execPath, [childScript, file, String(rounds)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const [, signal] = await once(child, 'close');
  return signal === 'SIGKILL' ? '' : said;
}

test('of processes that find a dead owner, and find each other dead, never two are owner', async () => {
  const file = await newFile();
  assert.equal(await ownedAndDied(file, 1), '');
  const said = await Promise.all(Array.from({ length: 6 }, () => ownedAndDied(file, 12)));
  assert.deepEqual(said.filter(Boolean), []);
  await (await takeOwnership(file))();
  assert.equal((await readdir(path.dirname(file))).length, 1, 'only the last number is left');
});

test('an owner can be the owner again', async () => {
  const file = await newFile();
  const disown = await takeOwnership(file);
  await takeOwnership(file);
  await disown();
  await writeFile(file, 'of an earlier release, and dead');
  await (await takeOwnership(file))();
  assert.equal((await readdir(path.dirname(file))).length, 1);
});
