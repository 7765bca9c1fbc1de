import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pick, refused, rowsOf, succeeded, tableOf } from '../../support/clients.ts';
import { until } from '../../support/until.ts';
import type { GlanceSite } from './site.ts';

const unknown = '00000000-0000-4000-8000-000000000000';
const raw = ['--disk-format', 'raw', '--container-format', 'bare'];

/** What depends on what a site offers; this one has one store, no cache, no limits and hides locations. */
export function offerCommands(site: () => GlanceSite): void {
  const demo = (...args: readonly string[]) => succeeded(site().as('demo')(...args));
  const shown = async (id: string) => tableOf(await demo('image-show', id));
  const create = async (...args: readonly string[]): Promise<string> =>
    tableOf(await demo('image-create', '--name', 'offered', ...raw, ...args)).id ?? '';

  describe('imports', () => {
    test('import-info names glance-direct', async () => {
      const { 'import-methods': methods = '{}' } = tableOf(await demo('import-info'));
      assert.ok((JSON.parse(methods) as { value: string[] }).value.includes('glance-direct'));
    });

    test('image-stage and image-import: bytes in two steps', async () => {
      const { as, file, size, md5 } = site();
      const id = await create();
      await refused(as('viewer')('image-stage', '--file', file, id), /HTTP 403 Forbidden/);
      await demo('image-stage', '--file', file, '--progress', id);
      assert.deepEqual(pick(await shown(id), 'status', 'size', 'checksum'), {
        status: 'uploading',
        size: String(size),
        checksum: 'None',
      });
      await refused(as('demo')('image-upload', '--file', file, id), /HTTP 409 Conflict/);
      await demo('image-import', '--import-method', 'glance-direct', id);
      const image = await until('the import', async () => {
        const now = await shown(id);
        return now.status === 'active' && now;
      });
      assert.equal(image.checksum, md5);
      await refused(as('demo')('image-import', id), /only be applied to an image in status/);
    });

    test('image-create-via-import: the same in one command', async () => {
      const { file, md5 } = site();
      const made = tableOf(
        await demo('image-create-via-import', '--name', 'via import', '--file', file, ...raw),
      );
      const image = await until('the import', async () => {
        const now = await shown(made.id ?? '');
        return now.status === 'active' && now;
      });
      assert.equal(image.checksum, md5);
    });

    test('image-create-via-import: without bytes it is image-create', async () => {
      const made = tableOf(await demo('image-create-via-import', '--name', 'no bytes'));
      assert.equal(made.status, 'queued');
      assert.equal((await shown(made.id ?? '')).name, 'no bytes');
    });

    const viaImport = (method: string, ...args: readonly string[]) =>
      site().as('demo')('image-create-via-import', '--import-method', method, ...args, ...raw);

    test('image-create-via-import: web-download goes to the Internet alone', async () => {
      for (const url of ['http://192.0.2.1/image', 'http://127.0.0.1/image', 'file:///etc/passwd'])
        await refused(viaImport('web-download', '--uri', url), /HTTP 400 Bad Request: .*filtering/);
    });

    test('image-create-via-import: glance-download is not offered', async () => {
      const from = ['--remote-region', 'RegionTwo', '--remote-image-id', unknown];
      await refused(
        viaImport('glance-download', ...from),
        /Import method 'glance-download' is not valid for this cloud/,
      );
    });

    test('image-import: copy-image has nowhere to go', async () => {
      const id = await create('--file', site().file);
      const copy = ['image-import', '--import-method', 'copy-image'];
      await refused(
        site().as('admin')(...copy, '--stores', 'other', id),
        /HTTP 400 Bad Request: .*several stores/,
      );
      assert.equal((await shown(id)).status, 'active');
    });

    test('image-tasks: not announced by a site with one store', async () => {
      await refused(site().as('demo')('image-tasks', await create()), /does not support.*v2\.12/);
    });
  });

  describe('tasks', () => {
    test('explain: what a task is', async () => {
      const attributes = rowsOf(await demo('explain', 'task')).map(({ Attribute }) => Attribute);
      for (const name of ['id', 'type', 'status', 'input', 'result', 'message'])
        assert.ok(attributes.includes(name), name);
    });

    test('task-list and task-show are for administrators', async () => {
      const { as } = site();
      const printed = await succeeded(as('admin')('task-list', '--sort-key', 'status'));
      assert.match(printed, /\| ID +\| Type +\| Status +\| Owner/);
      await refused(as('demo')('task-list'), /HTTP 403 Forbidden/);
      await refused(as('admin')('task-show', unknown), /HTTP 404 Not Found: .*task/i);
      await refused(as('demo')('task-show', unknown), /HTTP 403 Forbidden/);
    });

    test('task-create refuses what must not be fetched', async () => {
      const { as } = site();
      const make = (user: 'admin' | 'demo', from: string) => {
        const input = { import_from: from, import_from_format: 'raw', image_properties: {} };
        return as(user)('task-create', '--type', 'import', '--input', JSON.stringify(input));
      };
      await refused(make('admin', 'file:///etc/passwd'), /HTTP 400 Bad Request/);
      await refused(make('demo', 'http://192.0.2.1/image'), /HTTP 403 Forbidden/);
    });
  });

  describe('stores, of which there is one', () => {
    test('stores-info and stores-delete: there is nothing to choose', async () => {
      const { as, file } = site();
      const alone = /Multi Backend support is not enabled/;
      await refused(as('demo')('stores-info'), alone);
      await refused(as('admin')('stores-info', '--detail'), alone);
      await refused(as('nova')('stores-info', '--detail'), alone);
      await refused(as('demo')('stores-info', '--detail'), /HTTP 403 Forbidden/);
      const id = await create('--file', file);
      await refused(as('admin')('stores-delete', '--store', 'file', id), alone);
      const image = await shown(id);
      assert.deepEqual(pick(image, 'status', 'stores'), { status: 'active', stores: undefined });
    });

    test('image-list --include-stores: there is nothing to tell', async () => {
      const id = await create('--file', site().file);
      const rows = rowsOf(await demo('image-list', '--include-stores'));
      assert.ok(['', 'None'].includes(rows.find(({ ID }) => ID === id)?.Stores ?? '?'));
    });
  });

  describe('locations, which are hidden', () => {
    test('location-add, location-update and location-delete are refused', async () => {
      const { as, file } = site();
      const queued = await create();
      for (const id of [queued, await create('--file', file)]) {
        const url = ['--url', 'http://192.0.2.1/image', id];
        for (const user of ['demo', 'admin'] as const) {
          await refused(as(user)('location-add', ...url), /HTTP 403 Forbidden: .*locations/);
          for (const command of ['location-update', 'location-delete'])
            await refused(as(user)(command, ...url), /disabled API access to image locations/);
        }
      }
      assert.equal((await shown(queued)).status, 'queued');
    });
  });

  describe('limits, of which there are none', () => {
    test('usage: an empty table', async () => {
      const printed = await demo('usage');
      assert.match(printed, /\| Quota \| Limit \| Usage \|/);
      assert.deepEqual(rowsOf(printed), []);
    });
  });

  describe('a cache, which is not there', () => {
    test('cache-list, cache-clear, cache-queue and cache-delete: not announced', async () => {
      const id = await create('--file', site().file);
      // Some of them end well all the same.
      for (const args of [
        ['cache-list'],
        ['cache-clear', '--target', 'queue'],
        ['cache-queue', id],
        ['cache-delete', id],
      ])
        assert.match((await site().as('admin')(...args)).all, /does not support.*caching.*v2\.14/);
    });
  });
}
