import { after, before, describe } from 'node:test';
import type { Client } from '../support/clients.ts';
import { measured, rawDisk } from '../support/images.ts';
import { showLogOfFailures } from './failures.ts';
import { imageCommands } from './glance/images.ts';
import { memberCommands } from './glance/members.ts';
import { offerCommands } from './glance/offers.ts';
import type { GlanceSite } from './glance/site.ts';
import { type Site, startSite } from './site.ts';
import { glanceSubcommands, testThatAllWereRun, watched } from './subcommands.ts';

const noted = new Set<string>();
let running: Site;
let site: GlanceSite;

before(async () => {
  running = await startSite();
  const { directory, projectId } = running;
  const file = await rawDisk(directory, { contentBytes: 300_000, diskBytes: 400_000 });
  const glances = new Map<string, Client>();
  const { size, md5, sha512 } = await measured('disk', file, 'raw', 'raw');
  site = {
    ...{ directory, projectId, file, size, md5, sha512 },
    as(user) {
      const known = glances.get(user);
      if (known !== undefined) return known;
      const project = { viewer: 'demo', nova: 'service' }[user as string] ?? user;
      const glance = watched(running.as(user, project).glance, noted);
      glances.set(user, glance);
      return glance;
    },
  };
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
