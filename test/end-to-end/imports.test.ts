import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { clientsWith, pick, refused, succeeded, tableOf } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';
import { type GlanceSite, glanceSite } from './glance/site.ts';
import { assertSameBytes } from './same-bytes.ts';
import { identityOf, type Site, startSite } from './site.ts';

// Every way to import, by stock clients, with a real Keystone, and another image service in its region two.

const run = promisify(execFile);

let running: Site;
let other: Daguerre;
let server: FileServer;
let site: GlanceSite;
let uri: string;

before(async () => {
  server = await startFileServer();
  running = await startSite(
    {},
    `stores:
  - { id: fast, type: file, weight: 10 }
  - { id: cheap, type: file }
default-store: fast
import-methods: [glance-direct, web-download, copy-image, glance-download]
import-allowed-ports: [${server.port}]
import-allowed-cidrs: [127.0.0.1/32]
`,
  );
  const { keystone } = running;
  other = await startDaguerre({
    env: { ...identityOf(keystone), DAGUERRE_REGION: 'RegionTwo' },
  });
  await addRegion('RegionTwo', other.url);
  site = await glanceSite(running, new Set());
  uri = server.put('/image', await readFile(site.file));
});

after(async () => {
  await other?.stop();
  await running?.stop();
  await server?.stop();
});

async function addRegion(id: string, url: string): Promise<void> {
  const { api } = running.keystone;
  await api.call('POST', '/regions', { region: { id } });
  const service_id = await api.idOf('service', 'glance');
  for (const face of ['public', 'internal', 'admin'])
    await api.call('POST', '/endpoints', {
      endpoint: { service_id, interface: face, region_id: id, url },
    });
}

/** The clients of demo in region two. */
const there = () =>
  clientsWith({
    ...running.keystone.environment('demo'),
    OS_REGION_NAME: 'RegionTwo',
  }).glance;

const raw = ['--disk-format', 'raw', '--container-format', 'bare'];
const demo = (...args: readonly string[]) => succeeded(site.as('demo')(...args));
const shown = async (id: string) => tableOf(await demo('image-show', id));
const create = async (...args: readonly string[]): Promise<string> =>
  tableOf(await demo('image-create', '--name', 'imported', ...args)).id ?? '';
const reached = (id: string, status: string) =>
  until(`the image to be ${status}`, async () => {
    const now = await shown(id);
    return now.status === status && now;
  });
const over = (id: string) =>
  until('the import to be over', async () => {
    const now = await shown(id);
    return now.os_glance_import_task === undefined && now;
  });

/** An image of the other service. */
async function remote(...args: readonly string[]): Promise<string> {
  const given = ['--file', site.file, ...raw, ...args];
  return tableOf(await succeeded(there()('image-create', '--name', 'remote', ...given))).id ?? '';
}

async function assertHolds(id: string): Promise<void> {
  const copy = join(site.directory, `copy-of-${id}`);
  await demo('image-download', '--file', copy, id);
  await assertSameBytes(copy, site.file);
}

describe('every import method, by stock clients with a real Keystone', () => {
  showLogOfFailures(() => running?.daguerre);

  test('import-info names them', async () => {
    const { 'import-methods': methods = '{}' } = tableOf(await demo('import-info'));
    assert.deepEqual((JSON.parse(methods) as { value: string[] }).value, [
      'glance-direct',
      'web-download',
      'copy-image',
      'glance-download',
    ]);
  });

  test('image-import by web-download', async () => {
    const id = await create(...raw);
    await demo('image-import', '--import-method', 'web-download', '--uri', uri, id);
    const image = await reached(id, 'active');
    assert.deepEqual(pick(image, 'checksum', 'stores'), { checksum: site.md5, stores: 'fast' });
    await assertHolds(id);
  });

  test('image-import by web-download to all stores', async () => {
    const id = await create(...raw);
    const method = ['--import-method', 'web-download', '--uri', uri];
    await demo('image-import', ...method, '--all-stores', 'True', id);
    await reached(id, 'active');
    assert.deepEqual(pick(await over(id), 'stores', 'os_glance_failed_import'), {
      stores: 'fast,cheap',
      os_glance_failed_import: '',
    });
  });

  test('image-import by web-download from where nothing is: why can be read', async () => {
    const id = await create(...raw);
    await demo('image-import', '--import-method', 'web-download', '--uri', `${uri}-not`, id);
    const image = await until('the reason', async () => {
      const now = await shown(id);
      return now.os_glance_failed_upload !== undefined && now;
    });
    assert.match(image.os_glance_failed_upload ?? '', /404/);
    assert.equal(image.status, 'queued');
    const where = ['--uri', 'http://169.254.169.254/latest', id];
    await refused(
      site.as('demo')('image-import', '--import-method', 'web-download', ...where),
      /HTTP 400 Bad Request/,
    );
  });

  test('image-import by copy-image: for administrators, into the other store', async () => {
    const id = await create('--file', site.file, ...raw);
    const copy = ['image-import', '--import-method', 'copy-image', '--stores', 'cheap', id];
    await refused(site.as('demo')(...copy), /HTTP 403 Forbidden/);
    await succeeded(site.as('admin')(...copy));
    const image = await until('the copy', async () => {
      const now = await shown(id);
      return now.stores === 'fast,cheap' && now;
    });
    assert.equal(image.status, 'active');
    await over(id);
    await refused(site.as('admin')(...copy), /HTTP 400 Bad Request: .*already present/);
  });

  test('image-import by glance-download: bytes, formats and properties of another region', async () => {
    const from = await remote(
      ...['--property', 'hw_disk_bus=scsi', '--property', 'os_distro=debian'],
      ...['--property', 'secret=ours'],
    );
    const id = await create();
    await glanceDownload(id, 'RegionTwo', from);
    const image = await reached(id, 'active');
    assert.deepEqual(
      pick(image, 'disk_format', 'container_format', 'checksum', 'hw_disk_bus', 'os_distro'),
      {
        disk_format: 'raw',
        container_format: 'bare',
        checksum: site.md5,
        hw_disk_bus: 'scsi',
        os_distro: 'debian',
      },
    );
    assert.equal(image.secret, undefined);
    await assertHolds(id);
    await until('the token to be erased', async () => (await tokens()) === 0);
  });

  test('image-import by glance-download of what cannot be had: why can be read', async () => {
    const queued = tableOf(await succeeded(there()('image-create', '--name', 'nothing yet')));
    await assert.rejects(
      glanceDownload(await create(), 'RegionThree', queued.id ?? ''),
      /HTTP 400 Bad Request: .*RegionThree/,
    );
    for (const [from, why] of [
      [queued.id ?? '', /queued in RegionTwo/],
      ['00000000-0000-4000-8000-000000000000', /404/],
    ] as const) {
      const image = await create();
      await glanceDownload(image, 'RegionTwo', from);
      const failed = await until('the reason', async () => {
        const now = await shown(image);
        return now.os_glance_failed_upload !== undefined && now;
      });
      assert.match(failed.os_glance_failed_upload ?? '', why);
      assert.equal(failed.status, 'queued');
    }
    await until('the tokens to be erased', async () => (await tokens()) === 0);
  });

  test('image-create-via-import by the methods that it has', async () => {
    const via = async (...args: readonly string[]): Promise<string> =>
      tableOf(await demo('image-create-via-import', '--name', 'via', ...args)).id ?? '';
    for (const args of [
      ['--file', site.file, ...raw],
      ['--import-method', 'web-download', '--uri', uri, ...raw],
    ])
      assert.equal((await reached(await via(...args), 'active')).checksum, site.md5);
  });

  test("import_image of the SDK, which is openstackclient's image import but for glance-download", async () => {
    const web = await create(...raw);
    await sdk('demo', `import_image('${web}', method='web-download', uri='${uri}')`);
    assert.equal((await reached(web, 'active')).checksum, site.md5);

    const copied = await create('--file', site.file, ...raw);
    await sdk(
      'admin',
      `import_image('${copied}', method='copy-image', all_stores=True, all_stores_must_succeed=True)`,
    );
    await until('the copy', async () => (await shown(copied)).stores === 'fast,cheap');

    const staged = await create(...raw);
    await demo('image-stage', '--file', site.file, staged);
    await sdk('demo', `import_image('${staged}')`);
    assert.equal((await reached(staged, 'active')).checksum, site.md5);
  });

  test('task-create of an import: a task that makes an image', async () => {
    const input = {
      import_from: uri,
      import_from_format: 'raw',
      image_properties: { name: 'by task', disk_format: 'raw', container_format: 'bare' },
    };
    const admin = (...args: readonly string[]) => succeeded(site.as('admin')(...args));
    const asked = ['task-create', '--type', 'import', '--input', JSON.stringify(input)];
    const { id = '' } = tableOf(await admin(...asked));
    const task = await until('the task to succeed', async () => {
      const now = tableOf(await admin('task-show', id));
      return now.status === 'success' && now;
    });
    const { image_id = '' } = JSON.parse((task.result ?? '{}').replaceAll("'", '"')) as {
      image_id?: string;
    };
    const image = tableOf(await admin('image-show', image_id));
    assert.deepEqual(pick(image, 'name', 'status', 'checksum'), {
      name: 'by task',
      status: 'active',
      checksum: site.md5,
    });
  });
});

/** One call of the SDK's image service, on an image by its id. */
async function sdk(user: string, call: string): Promise<void> {
  await python(
    user,
    `
import openstack
image = openstack.connect().image
image.${call.replace(/\('([^']*)'/, "(image.get_image('$1')")}
`,
  );
}

/** By glanceclient's library: the command of release 4.1 loses what it is told of the region and the image there. */
const glanceDownload = (id: string, region: string, from: string): Promise<void> =>
  python(
    'demo',
    `
from glanceclient import client
from keystoneauth1 import loading
import os
options = {k[3:].lower(): v for k, v in os.environ.items() if k.startswith('OS_')}
auth = loading.get_plugin_loader('v3password').load_from_options(
    **{k: options[k] for k in ('auth_url', 'username', 'password', 'project_name',
                               'user_domain_name', 'project_domain_name')})
session = loading.session.Session().load_from_options(auth=auth)
images = client.Client('2', session=session, region_name=options['region_name']).images
images.image_import('${id}', method='glance-download', remote_region='${region}',
                    remote_image_id='${from}')
`,
  );

async function python(user: string, script: string): Promise<void> {
  const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: site.directory };
  await run('/usr/bin/python3', ['-W', 'ignore', '-c', script], {
    env: { ...environment, ...running.keystone.environment(user) },
  });
}

/** How many callers' tokens are kept. */
async function tokens(): Promise<number> {
  const client = new pg.Client({ connectionString: running.daguerre.postgresUrl });
  await client.connect();
  try {
    const { rows } = await client.query('select count(*)::int as count from import_tokens');
    return rows[0].count;
  } finally {
    await client.end();
  }
}
