import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCampaign } from './campaign.ts';

test('300 images come in once each while processes die, and no bytes that are here are fetched again', async (t) => {
  const seed = `bulk-${Date.now()}`;
  t.diagnostic(`seed ${seed}`);
  const figures = await runCampaign({
    images: 300,
    killEverySeconds: 3,
    seed,
    say: (line) => t.diagnostic(line),
    timeoutMs: 600_000,
  });
  t.diagnostic(JSON.stringify(figures));
  assert.ok(Object.keys(figures.kills).length > 0, 'nothing was killed');
});
