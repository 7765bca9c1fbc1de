import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configFrom, environmentOf } from '../../infra/config/config.ts';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { filesBelow } from './disk.ts';
import { assertHolds, newImage, slowly, statusOf } from './images.ts';
import { logWatch } from './log-watch.ts';
import { startTree, type Tree } from './tree.ts';

const settings = ['--lease-ms', '1000'];
const workerMain = fileURLToPath(new URL('../../apps/worker/main.js', import.meta.url));

/** A second worker on the same data. */
async function secondWorker(tree: Tree): Promise<ChildProcess> {
  const postgres = ['--postgres-url', tree.now().postgresUrl];
  const config = configFrom([...tree.args, '--data-dir', tree.dataDir, ...postgres], {});
  const child = fork(workerMain, [], { env: environmentOf(config), silent: true });
  await once(child, 'message');
  return child;
}

test('a worker that sleeps beyond its lease finds its result refused and its bytes swept', async () => {
  const tree = await startTree(settings);
  let second: ChildProcess | undefined;
  try {
    const content = contentOf('zombie', 2_000_000);
    const id = await newImage(tree.api);
    const watch = logWatch(tree.now().postgresUrl);
    const stored = () => filesBelow(tree.storeDir);
    const sleeper = await tree.now().part('worker');
    await tree.dieAt('worker.data-promoted', 'stop');
    const uploading = tree.api.upload(id, slowly(content, 100));
    await until('the worker to fall asleep', tree.died);
    const [first] = await stored();
    assert.match(first ?? '', /\/1$/, 'it has stored its bytes');
    second = await secondWorker(tree);
    assert.equal(statusOf(await uploading), 204);
    await watch.read();
    assert.equal(watch.takeOvers(), 1);

    process.kill(sleeper, 'SIGCONT');
    await until('the bytes of the sleeper to be swept', async () => {
      return !(await stored()).includes(first ?? '');
    });
    const another = await newImage(tree.api);
    assert.equal(statusOf(await tree.api.upload(another, slowly(content, 0))), 204);
    await watch.read();
    assert.deepEqual((await stored()).sort(), watch.namedKeys().sort(), 'and nothing else');
    assert.deepEqual(watch.problems, []);
    await assertHolds(tree.api, id, content);
    assert.equal(await tree.now().part('worker'), sleeper, 'the sleeper lives on');
  } finally {
    if (second) {
      second.kill('SIGTERM');
      await once(second, 'exit');
    }
    await tree.stop();
  }
});
