import { parseArgs } from 'node:util';
import { seedOfThisRun } from '../support/seed.ts';
import { campaign, summary } from './campaign.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    seed: { type: 'string' },
    clients: { type: 'string', default: '6' },
    'lease-ms': { type: 'string', default: '4000' },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const seed = values.seed === undefined ? seedOfThisRun() : Number(values.seed);
say(`seed ${seed}`);
const report = await campaign({
  runs: Number(values.runs),
  seed,
  clients: Number(values.clients),
  args: ['--lease-ms', values['lease-ms']],
  say,
});
say(summary(report));
for (const { kind, what } of report.problems) say(`${kind}: ${what}`);
process.exit(report.problems.length > 0 ? 1 : 0);
