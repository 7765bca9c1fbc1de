import { readFile } from 'node:fs/promises';
import { after, before, describe } from 'node:test';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import type { KeystoneApi } from '../support/keystone-api.ts';
import { showLogOfFailures } from './failures.ts';
import { type PlacesSite, placeCommands } from './glance/places.ts';
import { glanceSite } from './glance/site.ts';
import { type Site, startSite } from './site.ts';

const imageCount = 3;

let running: Site;
let server: FileServer;
let site: PlacesSite;

before(async () => {
  server = await startFileServer();
  running = await startSite(
    { DAGUERRE_USE_KEYSTONE_LIMITS: 'true' },
    `stores:
  - { id: fast, type: file, description: on flash, weight: 10 }
  - { id: cheap, type: file }
  - { id: web, type: http, allowed-ports: [${server.port}], allowed-cidrs: [127.0.0.1/32] }
default-store: fast
show-multiple-locations: true
`,
  );
  const { keystone } = running;
  await registerLimits(keystone.api, {
    image_size_total: 1000,
    image_stage_total: 1000,
    image_count_total: imageCount,
    image_count_uploading: 10,
  });
  await limitOf(keystone.api, 'demo', { image_count_total: 100 });
  const plain = await glanceSite(running, new Set());
  site = { ...plain, imageCount, url: server.put('/image', await readFile(plain.file)) };
});

after(async () => {
  await running?.stop();
  await server?.stop();
});

describe('glance with several stores, locations and limits', () => {
  showLogOfFailures(() => running?.daguerre);
  placeCommands(() => site);
});

type Amounts = Readonly<Record<string, number>>;

async function registerLimits(api: KeystoneApi, amounts: Amounts): Promise<void> {
  const service_id = await api.idOf('service', 'glance');
  await api.call('POST', '/registered_limits', {
    registered_limits: Object.entries(amounts).map(([resource_name, default_limit]) => ({
      ...{ service_id, resource_name, default_limit },
    })),
  });
}

async function limitOf(api: KeystoneApi, project: string, amounts: Amounts): Promise<void> {
  const [service_id, project_id] = [
    await api.idOf('service', 'glance'),
    await api.idOf('project', project),
  ];
  await api.call('POST', '/limits', {
    limits: Object.entries(amounts).map(([resource_name, resource_limit]) => ({
      ...{ service_id, project_id, resource_name, resource_limit },
    })),
  });
}
