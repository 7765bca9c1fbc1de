import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pick, refused, rowsOf, succeeded, tableOf } from '../../support/clients.ts';
import { assertSameBytes } from '../same-bytes.ts';
import type { GlanceSite } from './site.ts';

/** What each of an image's commands prints, does, and says to those who may not. */
export function imageCommands(site: () => GlanceSite): void {
  const demo = (...args: readonly string[]) => succeeded(site().as('demo')(...args));
  const shown = async (id: string) => tableOf(await demo('image-show', id));
  const raw = ['--disk-format', 'raw', '--container-format', 'bare'];
  const create = async (name: string, ...args: readonly string[]): Promise<string> =>
    tableOf(await demo('image-create', '--name', name, ...raw, ...args)).id ?? '';
  const names = async (user: 'demo' | 'alt' | 'admin' | 'viewer', ...args: readonly string[]) =>
    rowsOf(await succeeded(site().as(user)('image-list', ...args))).map(({ Name }) => Name);

  describe('images', () => {
    test('image-create: active with its bytes, and of the project that made it', async () => {
      const { file, size } = site();
      const id = await create('with bytes', '--file', file, '--property', 'hw_disk_bus=virtio');
      const image = await shown(id);
      assert.deepEqual(
        pick(image, 'status', 'size', 'owner', 'visibility', 'hw_disk_bus', 'disk_format'),
        {
          status: 'active',
          size: String(size),
          owner: await site().projectId('demo'),
          visibility: 'shared',
          hw_disk_bus: 'virtio',
          disk_format: 'raw',
        },
      );
      await refused(site().as('alt')('image-show', id), /HTTP 404 Not Found: No image found/);
      assert.ok((await succeeded(site().as('viewer')('image-show', id))).includes(id));
    });

    test('image-create: with an id, tags and bounds of its own, and without bytes queued', async () => {
      const id = '6f5b7d1e-9a53-4a7e-8f51-0d1c5f4b7a10';
      const printed = await demo(
        ...['image-create', '--id', id, '--min-disk', '3', '--min-ram', '256', '--tags', 'a', 'b'],
        ...['--protected', 'False', '--hidden', 'True', '--visibility', 'private'],
      );
      const image = tableOf(printed);
      assert.deepEqual(pick(image, 'id', 'status', 'min_disk', 'min_ram', 'os_hidden'), {
        id,
        status: 'queued',
        min_disk: '3',
        min_ram: '256',
        os_hidden: 'True',
      });
      assert.match(image.tags ?? '', /a.*b|b.*a/);
      await refused(site().as('demo')('image-create', '--id', id), /HTTP 409 Conflict/);
    });

    test('image-create: not by a reader, not public by a member, not of another project', async () => {
      const { as, projectId } = site();
      await refused(as('viewer')('image-create', '--name', 'x'), /HTTP 403 Forbidden/);
      const open = as('demo')('image-create', '--visibility', 'public');
      await refused(open, /HTTP 403 Forbidden: .*publicize_image/);
      const foreign = as('demo')('image-create', '--owner', await projectId('alt'));
      await refused(foreign, /HTTP 403 Forbidden/);
      await refused(as('demo')('image-create', '--name', 'x'.repeat(256)), /too long/);
    });

    test('image-upload: fills a queued image, once', async () => {
      const id = await create('filled later');
      await demo('image-upload', '--file', site().file, '--progress', id);
      assert.equal((await shown(id)).status, 'active');
      const again = site().as('demo')('image-upload', '--file', site().file, id);
      await refused(again, /HTTP 409 Conflict/);
      const bare = tableOf(await demo('image-create', '--name', 'no formats')).id ?? '';
      const unformatted = site().as('demo')('image-upload', '--file', site().file, bare);
      await refused(unformatted, /HTTP 400 Bad Request: .*(disk|container)_format/);
    });

    test('image-upload: an unknown store is refused', async () => {
      const id = await create('to no store');
      const upload = site().as('demo')('image-upload', '--file', site().file, '--store', 'x', id);
      await refused(upload, /HTTP 400 Bad Request|Store 'x' is not valid/);
      assert.equal((await shown(id)).status, 'queued');
    });

    test('image-download: the same bytes, for who may have them', async () => {
      const { as, directory, file } = site();
      const id = await create('to download', '--file', file);
      const copy = join(directory, 'glance-copy');
      await demo('image-download', '--file', copy, '--progress', id);
      await assertSameBytes(copy, file);
      const reader = as('viewer')('image-download', '--file', copy, id);
      await refused(reader, /HTTP 403 Forbidden: .*download_image/);
      await refused(as('alt')('image-download', '--file', copy, id), /HTTP 404 Not Found/);
      const empty = await create('without bytes');
      await refused(as('demo')('image-download', '--file', copy, empty), /has no data/);
    });

    test('image-list: pages, filters and sorts', async () => {
      const { as } = site();
      for (const [name, ...more] of [
        ['list b', '--property', 'colour=red'],
        ['list a', '--property', 'colour=red', '--tags', 'one', 'two'],
        ['list c', '--property', 'colour=blue', '--hidden', 'True'],
      ] as const)
        await create(name, ...more);
      assert.deepEqual(await names('demo', '--property-filter', 'colour=red', '--page-size', '1'), [
        'list a',
        'list b',
      ]);
      assert.deepEqual(
        await names('demo', '--property-filter', 'colour=red', '--sort', 'name:desc'),
        ['list b', 'list a'],
      );
      const firstCreated = ['--sort-key', 'created_at', '--sort-dir', 'asc', '--limit', '1'];
      assert.deepEqual(await names('demo', '--property-filter', 'colour=red', ...firstCreated), [
        'list b',
      ]);
      assert.deepEqual(await names('demo', '--tag', 'one', '--tag', 'two'), ['list a']);
      assert.deepEqual(
        await names('demo', '--hidden', 'True', '--property-filter', 'colour=blue'),
        ['list c'],
      );
      assert.deepEqual(await names('alt', '--property-filter', 'colour=red'), []);
      assert.equal((await names('viewer', '--property-filter', 'colour=red')).length, 2);
      const owner = await site().projectId('demo');
      const verbose = await succeeded(
        as('admin')('-v', 'image-list', '--owner', owner, '--property-filter', 'colour=red'),
      );
      assert.deepEqual(
        rowsOf(verbose).map((row) => pick(row, 'Name', 'Disk_format', 'Status', 'Owner')),
        ['list a', 'list b'].map((Name) => ({
          Name,
          Disk_format: 'raw',
          Status: 'queued',
          Owner: owner,
        })),
      );
    });

    test('image-list: by what the bytes are', async () => {
      const { file, md5, sha512 } = site();
      await create('by digest', '--file', file, '--tags', 'digest');
      for (const by of [
        ['--checksum', md5],
        ['--hash', sha512],
      ])
        assert.deepEqual(await names('demo', '--tag', 'digest', ...by), ['by digest']);
      assert.deepEqual(await names('demo', '--checksum', '0'.repeat(32)), []);
    });

    test('image-list: an image of the community is for who asks for it', async () => {
      await create('of all', '--visibility', 'community');
      assert.deepEqual(await names('alt'), []);
      assert.deepEqual(await names('alt', '--visibility', 'community'), ['of all']);
      await refused(site().as('demo')('image-list', '--visibility', 'odd'), /HTTP 400/);
    });

    test('image-show: also as people read sizes, and nothing of an unknown id', async () => {
      const id = await create('shown', '--file', site().file);
      const read = tableOf(await demo('image-show', '--human-readable', id));
      assert.match(read.size ?? '', /^\d+(\.\d+)?[kMG]?i?B$/);
      const unknown = '00000000-0000-4000-8000-000000000000';
      for (const wrong of [unknown, 'no-id'])
        await refused(site().as('demo')('image-show', wrong), /HTTP 404 Not Found: No image found/);
    });

    test('image-update: changes, adds and removes, for who may', async () => {
      const { as } = site();
      const id = await create('to update', '--property', 'gone=soon');
      await demo(
        ...['image-update', '--name', 'updated', '--min-ram', '64', '--protected', 'True'],
        ...['--hidden', 'True', '--property', 'os_distro=debian', '--remove-property', 'gone', id],
      );
      assert.deepEqual(
        pick(await shown(id), 'name', 'min_ram', 'protected', 'os_hidden', 'os_distro', 'gone'),
        {
          name: 'updated',
          min_ram: '64',
          protected: 'True',
          os_hidden: 'True',
          os_distro: 'debian',
          gone: undefined,
        },
      );
      const rename = (user: 'viewer' | 'alt') => as(user)('image-update', '--name', 'mine', id);
      await refused(rename('viewer'), /HTTP 403 Forbidden/);
      await refused(rename('alt'), /HTTP 404 Not Found/);
      const publish = ['image-update', '--visibility', 'public', id];
      await refused(as('demo')(...publish), /HTTP 403 Forbidden/);
      await succeeded(as('admin')(...publish));
      assert.ok((await succeeded(as('alt')('image-show', id))).includes('public'));
      await refused(rename('viewer'), /HTTP 403 Forbidden/);
      await refused(rename('alt'), /HTTP 403 Forbidden/);
    });

    test('image-update: formats are fixed once there are bytes', async () => {
      const id = await create('formatted', '--file', site().file);
      const update = site().as('demo')('image-update', '--disk-format', 'iso', id);
      await refused(update, /HTTP 403 Forbidden: .*disk_format/);
    });

    test('image-deactivate and image-reactivate: bytes are kept from all but administrators', async () => {
      const { as, directory, file } = site();
      const id = await create('switched off', '--file', file);
      const copy = join(directory, 'deactivated-copy');
      await demo('image-deactivate', id);
      assert.equal((await shown(id)).status, 'deactivated');
      const kept = as('demo')('image-download', '--file', copy, id);
      await refused(kept, /HTTP 403 Forbidden: .*deactivated/);
      await succeeded(as('admin')('image-download', '--file', copy, id));
      await assertSameBytes(copy, file);
      await refused(as('viewer')('image-reactivate', id), /HTTP 403 Forbidden/);
      await demo('image-reactivate', id);
      await demo('image-download', '--file', copy, id);
      const queued = await create('has no bytes to keep');
      await refused(as('demo')('image-deactivate', queued), /HTTP 403 Forbidden/);
    });

    test('image-tag-update and image-tag-delete', async () => {
      const { as } = site();
      const id = await create('to tag');
      const [row] = rowsOf(await demo('image-tag-update', id, 'blue eyes'));
      assert.match(row?.Tags ?? '', /blue eyes/);
      await refused(as('viewer')('image-tag-update', id, 'x'), /HTTP 403 Forbidden/);
      await demo('image-tag-delete', id, 'blue eyes');
      assert.equal((await shown(id)).tags, '[]');
      await refused(as('demo')('image-tag-delete', id, 'blue eyes'), /HTTP 404 Not Found/);
    });

    test('image-delete: several at once, and each refusal by its image', async () => {
      const { as } = site();
      const [one, two] = [await create('first to go'), await create('second to go')];
      const kept = await create('protected', '--protected', 'True');
      await refused(as('viewer')('image-delete', one), /not permitted to delete the image/);
      await refused(as('alt')('image-delete', one), /No image with an ID of '.*' exists/);
      const said = await refused(as('demo')('image-delete', one, kept, two), /not permitted/);
      assert.ok(said.includes(kept) && !said.includes(two), said);
      for (const id of [one, two])
        await refused(as('demo')('image-show', id), /HTTP 404 Not Found: No image found/);
      assert.equal((await shown(kept)).status, 'queued');
      await refused(as('demo')('image-delete', one), /No image with an ID of '.*' exists/);
    });

    test('explain: what an image and a member are', async () => {
      const attributes = async (model: string) =>
        rowsOf(await demo('explain', model)).map(({ Attribute }) => Attribute);
      for (const name of ['id', 'os_hash_value', 'kernel_id', 'virtual_size'])
        assert.ok((await attributes('image')).includes(name));
      assert.ok((await attributes('member')).includes('member_id'));
      await refused(site().as('demo')('explain', 'nonsense'), /Unable to find requested model/);
    });
  });
}
