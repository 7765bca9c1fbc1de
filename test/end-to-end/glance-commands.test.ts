import { after, before, describe } from 'node:test';
import { showLogOfFailures } from './failures.ts';
import { imageCommands } from './glance/images.ts';
import { memberCommands } from './glance/members.ts';
import { offerCommands } from './glance/offers.ts';
import { type GlanceSite, glanceSite } from './glance/site.ts';
import { type Site, startSite } from './site.ts';
import { glanceSubcommands, testThatAllWereRun } from './subcommands.ts';

const noted = new Set<string>();
let running: Site;
let site: GlanceSite;

before(async () => {
  running = await startSite();
  site = await glanceSite(running, noted);
});

after(async () => {
  await running?.stop();
});

describe('glance and Keystone', () => {
  showLogOfFailures(() => running?.daguerre);
  imageCommands(() => site);
  memberCommands(() => site);
  offerCommands(() => site);
  testThatAllWereRun(glanceSubcommands, noted, (name) => name.startsWith('md-'));
});
