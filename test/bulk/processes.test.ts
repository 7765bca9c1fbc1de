import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCampaign } from './campaign.ts';

test('300 images come in once each while processes die, and no bytes that are here are fetched again', async (t) => {
  const figures = await runCampaign({
    images: 300,
    killEverySeconds: 3,
    seed: `bulk-${Date.now()}`,
    say: (line) => t.diagnostic(line),
    timeoutMs: 240_000,
  });
  t.diagnostic(JSON.stringify(figures));
  assert.ok(Object.keys(figures.kills).length > 0, 'nothing was killed');
});
