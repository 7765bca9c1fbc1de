import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxDeadClaims } from '../../domain/image/state.ts';
import { contentOf } from './content.ts';
import { assertHolds, newImage, shownImage, slowly, statusOf } from './images.ts';
import { logWatch } from './log-watch.ts';
import { startTree } from './tree.ts';

test('an upload that kills five workers is given up, and its owner reads why', async () => {
  const tree = await startTree(['--lease-ms', '1000']);
  try {
    const content = contentOf('poison', 500_000);
    const id = await newImage(tree.api);
    const watch = logWatch(tree.now().postgresUrl);
    await tree.dieAt('worker.ingest-claimed', 'always');
    const answer = await tree.api.upload(id, slowly(content, 100));
    assert.ok(answer.kind === 'answered' && answer.status >= 400, JSON.stringify(answer));
    assert.match(String(answer.body), /5 workers died/);
    const shown = await shownImage(tree.api, id);
    assert.equal(shown.status, 'queued');
    assert.match(shown.os_glance_failed_upload ?? '', /5 workers died/);
    await watch.read();
    assert.equal(watch.takeOvers(), maxDeadClaims - 1);

    await tree.spare();
    assert.equal(statusOf(await tree.api.upload(id, slowly(content, 100))), 204);
    await assertHolds(tree.api, id, content);
  } finally {
    await tree.stop();
  }
});
