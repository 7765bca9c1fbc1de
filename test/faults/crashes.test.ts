import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedOfThisRun } from '../support/seed.ts';
import { campaign, summary } from './campaign.ts';

test('nothing that was answered is lost when any process is killed at any moment, 50 times', async (context) => {
  const seed = seedOfThisRun();
  const say = (line: string): void => context.diagnostic(line);
  const report = await campaign({ runs: 50, seed, clients: 6, args: ['--lease-ms', '2000'], say });
  say(summary(report));
  assert.deepEqual(report.problems, [], `seed ${seed}`);
});
