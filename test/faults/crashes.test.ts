import assert from 'node:assert/strict';
import { test } from 'node:test';
import { profileOfThisRun } from '../support/profile.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { campaign, summary } from './campaign.ts';
import { faults } from './faults.ts';
import { startTree } from './tree.ts';

/** With bus and queue of their own there are further campaigns. */
const runs = profileOfThisRun() === 'embedded' ? 50 : 20;

test(`nothing that was answered is lost when any process dies at any moment, ${runs} times`, async (context) => {
  const seed = seedOfThisRun();
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  // A shorter lease than usual: the waiting for it would be most of the time.
  const start = () => startTree(['--lease-ms', '2000']);
  const report = await campaign({ start, runs, seed, clients: 6, faultsOf: faults, say });
  context.diagnostic(summary(report));
  assert.deepEqual(report.problems, [], `again with DAGUERRE_TEST_SEED=${seed}`);
});
