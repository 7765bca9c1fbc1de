import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedOfThisRun } from '../support/seed.ts';
import { siteCampaign } from './campaign.ts';

const runs = 20;

test(`nothing is lost, nothing rests and everybody is told, whatever of a site dies, pauses or forgets, ${runs} times`, async (context) => {
  const seed = seedOfThisRun();
  const lines: string[] = [];
  const report = await siteCampaign({
    runs,
    seed,
    clients: 6,
    say(line) {
      lines.push(line);
      process.stdout.write(`${line}\n`);
    },
  });
  context.diagnostic(lines.at(-1) ?? '');
  assert.deepEqual(report.problems, [], `again with DAGUERRE_TEST_SEED=${seed}`);
});
