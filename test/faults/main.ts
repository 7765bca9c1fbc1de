import { parseArgs } from 'node:util';
import { siteCampaign } from '../distributed/campaign.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { campaign, type Report, summary } from './campaign.ts';
import { faults } from './faults.ts';
import { startTree } from './tree.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'embedded' },
    runs: { type: 'string', default: '50' },
    seed: { type: 'string' },
    only: { type: 'string', default: '.' },
    clients: { type: 'string', default: '6' },
    'lease-ms': { type: 'string', default: '4000' },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const seed = values.seed === undefined ? seedOfThisRun() : Number(values.seed);
const how = { runs: Number(values.runs), seed, clients: Number(values.clients), say };

/** One tree whose processes are killed, or a site of many whose bus and queue are, too; `only` names its faults. */
async function run(): Promise<Report> {
  if (values.profile === 'distributed') return siteCampaign({ ...how, only: RegExp(values.only) });
  const start = () => startTree(['--lease-ms', values['lease-ms']], { profile: 'embedded' });
  const report = await campaign({ ...how, start, faultsOf: faults });
  say(summary(report));
  return report;
}

say(`seed ${seed}`);
const report = await run();
for (const { kind, what } of report.problems) say(`${kind}: ${what}`);
process.exit(report.problems.length > 0 ? 1 : 0);
