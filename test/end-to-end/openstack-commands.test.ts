import { after, before, describe } from 'node:test';
import { measured, rawDisk } from '../support/images.ts';
import { showLogOfFailures } from './failures.ts';
import { imageCommands } from './openstack/images.ts';
import { sharingCommands } from './openstack/sharing.ts';
import type { OpenstackSite } from './openstack/site.ts';
import { type Site, startSite } from './site.ts';
import { openstackSubcommands, testThatAllWereRun, watched } from './subcommands.ts';

const noted = new Set<string>();
let running: Site;
let site: OpenstackSite;

before(async () => {
  running = await startSite();
  const { directory, projectId } = running;
  const path = await rawDisk(directory, { contentBytes: 300_000, diskBytes: 400_000 });
  site = {
    directory,
    projectId,
    disk: await measured('disk', path, 'raw', 'raw'),
    as: (user, project = user) => watched(running.as(user, project).openstack, noted),
  };
});

after(async () => {
  await running?.stop();
});

describe('openstack and Keystone', () => {
  showLogOfFailures(() => running?.daguerre);
  imageCommands(() => site);
  sharingCommands(() => site);
  testThatAllWereRun(openstackSubcommands, noted);
});
