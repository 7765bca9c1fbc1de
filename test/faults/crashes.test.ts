import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedOfThisRun } from '../support/seed.ts';
import { campaign, summary } from './campaign.ts';

test('nothing that was answered is lost when any process dies at any moment, 50 times', async (context) => {
  const seed = seedOfThisRun();
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  // A shorter lease than usual: the waiting for it would be most of the time.
  const args = ['--lease-ms', '2000'];
  const report = await campaign({ runs: 50, seed, clients: 6, args, say });
  context.diagnostic(summary(report));
  assert.deepEqual(report.problems, [], `again with DAGUERRE_TEST_SEED=${seed}`);
});
