import { after, before, describe } from 'node:test';
import { showLogOfFailures } from './failures.ts';
import { type RawClient, rawClient } from './raw/client.ts';
import { gophercloudSession } from './raw/gophercloud.ts';
import { serviceSessions } from './raw/services.ts';
import { type Site, startSite } from './site.ts';

const sizeCap = 1_000_000;

let site: Site;
let demo: RawClient;
let alt: RawClient;
let sdk: RawClient;
let altId: string;

before(async () => {
  site = await startSite({ DAGUERRE_IMAGE_SIZE_CAP: String(sizeCap) });
  const { keystone, daguerre } = site;
  const gophercloud = { Accept: 'application/json', 'User-Agent': 'gophercloud/v2' };
  demo = rawClient(daguerre.url, await keystone.token('demo'), gophercloud);
  alt = rawClient(daguerre.url, await keystone.token('alt'), gophercloud);
  sdk = rawClient(daguerre.url, await keystone.token('demo'), { Accept: '' });
  altId = await site.projectId('alt');
});

after(async () => {
  await site?.stop();
});

describe('clients that speak plain HTTP, with a real Keystone', () => {
  showLogOfFailures(() => site?.daguerre);
  gophercloudSession(() => ({ demo, alt, altId }));
  serviceSessions(() => ({ demo, sdk, defaultStore: 'file', sizeCap }));
});
