import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pick, refused, rowsOf, succeeded, tableOf } from '../../support/clients.ts';
import { until } from '../../support/until.ts';
import { assertSameBytes } from '../same-bytes.ts';
import type { GlanceSite } from './site.ts';

/** A site with the stores `fast`, which is the default, `cheap` and `web`, and bytes that `web` can read at a URL. */
export interface PlacesSite extends GlanceSite {
  readonly url: string;
  /** How many images a project may have, as Keystone's unified limits have it. */
  readonly imageCount: number;
}

const raw = ['--disk-format', 'raw', '--container-format', 'bare'];

/** What becomes possible with several stores, shown locations and limits. */
export function placeCommands(site: () => PlacesSite): void {
  const demo = (...args: readonly string[]) => succeeded(site().as('demo')(...args));
  const shown = async (id: string) => tableOf(await demo('image-show', id));
  const create = async (...args: readonly string[]): Promise<string> =>
    tableOf(await demo('image-create', '--name', 'placed', ...raw, ...args)).id ?? '';
  const active = (id: string) =>
    until('the image to be active', async () => {
      const now = await shown(id);
      return now.status === 'active' && now;
    });
  const storesOf = (image: Readonly<Record<string, string>>) =>
    (image.stores ?? '').split(',').sort();

  describe('several stores', () => {
    test('stores-info: for everybody; --detail for administrators and services', async () => {
      const { as } = site();
      const told = async (user: 'demo' | 'admin' | 'nova', ...args: readonly string[]) =>
        JSON.parse(
          tableOf(await succeeded(as(user)('stores-info', ...args))).stores ?? '[]',
        ) as Record<string, unknown>[];
      assert.deepEqual(await told('demo'), [
        { id: 'fast', description: 'on flash', default: 'true' },
        { id: 'cheap' },
        { id: 'web', 'read-only': 'true' },
      ]);
      for (const user of ['admin', 'nova'] as const) {
        const details = await told(user, '--detail');
        assert.deepEqual(
          details.map(({ id, type, weight }) => [id, type, weight]),
          [
            ['fast', 'file', 10],
            ['cheap', 'file', 0],
            ['web', 'http', 0],
          ],
        );
      }
      await refused(as('demo')('stores-info', '--detail'), /HTTP 403 Forbidden/);
    });

    test('image-create and image-upload: into the store that is named, else the default', async () => {
      const { as, file } = site();
      const usual = await create('--file', file);
      assert.equal((await shown(usual)).stores, 'fast');
      const cheap = await create('--file', file, '--store', 'cheap');
      assert.equal((await shown(cheap)).stores, 'cheap');
      const queued = await create();
      const upload = (store: string) =>
        as('demo')('image-upload', '--file', file, '--store', store, queued);
      await refused(upload('none'), /Store 'none' is not valid for this cloud/);
      await refused(upload('web'), /HTTP 4\d\d|HTTP Gone/);
      await succeeded(upload('cheap'));
      const rows = rowsOf(await demo('image-list', '--include-stores'));
      assert.deepEqual(
        [usual, cheap, queued].map((id) => rows.find(({ ID }) => ID === id)?.Stores),
        ['fast', 'cheap', 'cheap'],
      );
    });

    test('image-create-via-import and image-import: into several stores', async () => {
      const { as, file, md5 } = site();
      const via = tableOf(
        await demo('image-create-via-import', ...raw, '--file', file, '--stores', 'fast,cheap'),
      );
      const first = await active(via.id ?? '');
      assert.equal(first.checksum, md5);
      await until(
        'both stores to have it',
        async () => storesOf(await shown(via.id ?? '')).join() === 'cheap,fast',
      );

      const id = await create();
      await demo('image-stage', '--file', file, id);
      await refused(
        as('demo')('image-import', '--store', 'fast', '--all-stores', 'True', id),
        /Only one of --store, --stores and --all-stores/,
      );
      await demo('image-import', '--all-stores', 'True', '--allow-failure', 'False', id);
      const all = await active(id);
      assert.deepEqual(storesOf(all), ['cheap', 'fast']);
    });

    test('image-import: copy-image brings an image into another store', async () => {
      const id = await create('--file', site().file);
      const copy = ['--import-method', 'copy-image', '--stores', 'cheap', id];
      await succeeded(site().as('admin')('image-import', ...copy));
      await until('the copy', async () => storesOf(await shown(id)).join() === 'cheap,fast');
      await refused(
        site().as('admin')('image-import', ...copy),
        /already present at store 'cheap'/,
      );
    });

    test('image-tasks, task-list and task-show: what became of an import', async () => {
      const { as } = site();
      const id = await create();
      await demo('image-stage', '--file', site().file, id);
      await demo('image-import', id);
      await active(id);
      const [row] = await until('the task to end', async () => {
        const rows = rowsOf(await succeeded(as('viewer')('-v', 'image-tasks', id)));
        return rows[0]?.Status === 'success' && rows;
      });
      assert.deepEqual(pick(row ?? {}, 'Image Id', 'Status', 'Owner'), {
        'Image Id': id,
        Status: 'success',
        Owner: await site().projectId('demo'),
      });
      await refused(as('alt')('image-tasks', id), /not found/);

      const listed = rowsOf(await succeeded(as('admin')('task-list')));
      const task = listed.find(({ ID }) => ID === row?.['Task Id'] || ID === row?.Id);
      assert.ok(listed.length > 0, 'no task is listed');
      const of = task ?? listed[0];
      const detail = tableOf(await succeeded(as('admin')('task-show', of?.ID ?? '')));
      assert.deepEqual(pick(detail, 'type', 'status'), {
        type: 'api_image_import',
        status: 'success',
      });
    });

    test('stores-delete: one copy of several, by an administrator', async () => {
      const { as, directory, file } = site();
      const id = await create();
      await demo('image-stage', '--file', file, id);
      await demo('image-import', '--all-stores', 'True', '--allow-failure', 'False', id);
      await active(id);
      const remove = (user: 'demo' | 'admin', store: string) =>
        as(user)('stores-delete', '--store', store, id);
      await refused(remove('demo', 'fast'), /Unable to delete image.*403 Forbidden/);
      await refused(remove('admin', 'none'), /Unable to delete image.*409 Conflict/);
      await succeeded(remove('admin', 'fast'));
      assert.equal((await shown(id)).stores, 'cheap');
      await refused(remove('admin', 'fast'), /Unable to delete image.*403 Forbidden/);
      await refused(remove('admin', 'cheap'), /Unable to delete image.*403 Forbidden/);
      const copy = join(directory, 'copy-of-the-other');
      await demo('image-download', '--file', copy, id);
      await assertSameBytes(copy, file);
    });
  });

  describe('shown locations', () => {
    test('location-add, location-update and location-delete', async () => {
      const { as, url, directory, file, size } = site();
      const id = await create();
      const at = (command: string, ...args: readonly string[]) =>
        as('demo')(command, '--url', url, ...args, id);
      await refused(as('viewer')('location-add', '--url', url, id), /HTTP 403 Forbidden/);
      const added = tableOf(await succeeded(at('location-add', '--metadata', '{"note": "a"}')));
      assert.deepEqual(pick(added, 'status', 'size', 'stores'), {
        status: 'active',
        size: String(size),
        stores: 'web',
      });
      await refused(at('location-add', '--metadata', '{"note": "a"}'), /HTTP 400 Bad Request/);
      const copy = join(directory, 'copy-of-url');
      await demo('image-download', '--file', copy, id);
      await assertSameBytes(copy, file);

      const updated = tableOf(
        await succeeded(at('location-update', '--metadata', '{"note": "b"}')),
      );
      assert.match(updated.locations ?? '', /"note": "b"/);
      await refused(
        as('demo')('location-update', '--url', 'http://192.0.2.1/', id),
        /Unknown URL|must be one of/,
      );
      await refused(at('location-delete'), /HTTP 403 Forbidden/);
      // The last one: an image keeps its bytes.
      const last = as('admin')('location-delete', '--url', url, id);
      await refused(last, /HTTP 403 Forbidden/);
      assert.equal((await shown(id)).status, 'active');
    });

    test('location-add: what may not be fetched is refused', async () => {
      const id = await create();
      for (const url of ['file:///etc/passwd', 'http://127.0.0.1:1/', 'http://169.254.169.254/x'])
        await refused(site().as('demo')('location-add', '--url', url, id), /HTTP 400 Bad Request/);
      assert.equal((await shown(id)).status, 'queued');
    });
  });

  describe('limits of Keystone', () => {
    test('usage: what a project takes of what it may', async () => {
      const { as, file, imageCount } = site();
      const usage = async (): Promise<Record<string, number[]>> =>
        Object.fromEntries(
          rowsOf(await succeeded(as('alt')('usage'))).map((row) => [
            row.Quota ?? '',
            [Number(row.Limit), Number(row.Usage)],
          ]),
        );
      assert.deepEqual(await usage(), {
        image_size_total: [1000, 0],
        image_stage_total: [1000, 0],
        image_count_total: [imageCount, 0],
        image_count_uploading: [10, 0],
      });
      const make = () => as('alt')('image-create', '--name', 'counted', ...raw, '--file', file);
      const ids: string[] = [];
      for (let count = 0; count < imageCount; count++)
        ids.push(tableOf(await succeeded(make())).id ?? '');
      assert.deepEqual((await usage()).image_count_total, [imageCount, imageCount]);
      await refused(make(), /HTTP 413|Too Large/);
      await succeeded(as('alt')('image-delete', ids[0] ?? ''));
      await succeeded(make());
    });
  });
}
