import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { refused, succeeded } from '../../support/clients.ts';
import { until } from '../../support/until.ts';
import { assertSameBytes } from '../same-bytes.ts';
import { assertHas, created, namesIn, type OpenstackSite, shownTo } from './site.ts';

const raw = ['--disk-format', 'raw', '--container-format', 'bare'];

/** What the commands on one image print, do, and say to those who may not. */
export function imageCommands(site: () => OpenstackSite): void {
  const demo = (...args: readonly string[]) => succeeded(site().as('demo')('image', ...args));
  const shown = (id: string) => shownTo(site().as('demo'), id);
  const create = (...args: readonly string[]) => created(site().as('demo'), ...args);

  describe('images', () => {
    test('image create: active with its bytes, properties and tags', async () => {
      const { as, disk, projectId } = site();
      const { id } = await create(
        ...[...raw, '--file', disk.path, '--progress', '--private', '--tag', 'one', '--tag', 'two'],
        ...['--property', 'hw_disk_bus=virtio', '--min-disk', '2', '--min-ram', '64', 'whole'],
      );
      const image = await shown('whole');
      assertHas(image, {
        id,
        status: 'active',
        visibility: 'private',
        owner: await projectId('demo'),
        size: disk.size,
        checksum: disk.md5,
        os_hash_algo: 'sha512',
        os_hash_value: disk.sha512,
        min_disk: 2,
        min_ram: 64,
        protected: false,
        hw_disk_bus: 'virtio',
      });
      assert.deepEqual([...(image.tags as string[])].sort(), ['one', 'two']);
      assert.equal((await shownTo(as('viewer', 'demo'), 'whole')).id, id);
      await refused(as('alt')('image', 'show', id), /No Image found for/);
    });

    test('image create: without bytes queued; with an id of its own, once', async () => {
      const id = '4a4f2f3c-2df0-4c25-9d5f-5f0b3f6d2c11';
      await create('--id', id, '--community', 'reserved');
      assertHas(await shown(id), { status: 'queued', visibility: 'community', name: 'reserved' });
      await refused(site().as('demo')('image', 'create', '--id', id, 'again'), /409|Conflict/);
    });

    test('image create: not by a reader, and not public by a member', async () => {
      const { as } = site();
      await refused(as('viewer', 'demo')('image', 'create', 'no'), /403.*Forbidden/s);
      const publicised = /403.*publicize_image/s;
      await refused(as('demo')('image', 'create', '--public', 'no'), publicised);
    });

    test('image create: bytes of another format are refused, and nothing is left', async () => {
      const { as, disk } = site();
      const wrong = ['--disk-format', 'qcow2', '--container-format', 'bare', '--file', disk.path];
      await refused(as('demo')('image', 'create', ...wrong, 'no qcow2'), /415.*Unsupported Media/);
      assert.deepEqual(await namesIn(as('demo'), '--name', 'no qcow2'), []);
    });

    test('image create --import: through staging', async () => {
      const { disk } = site();
      const { id } = await create(...raw, '--file', disk.path, '--import', 'imported');
      const image = await until('the import', async () => {
        const now = await shown(id);
        return now.status === 'active' && now;
      });
      assertHas(image, { checksum: disk.md5, size: disk.size });
    });

    test('image list: filters, sorts and pages', async () => {
      const { as, disk, projectId } = site();
      for (const [name, ...args] of [
        ['list-b', '--tag', 'listed', '--property', 'colour=red'],
        ['list-a', '--tag', 'listed', '--tag', 'more', '--property', 'colour=blue'],
      ] as const)
        await create(...raw, '--file', disk.path, ...args, name);
      const list = (...args: readonly string[]) => namesIn(as('demo'), '--tag', 'listed', ...args);
      assert.deepEqual(await list(), ['list-a', 'list-b']);
      assert.deepEqual(await list('--sort', 'name:desc'), ['list-b', 'list-a']);
      assert.deepEqual(await list('--tag', 'more'), ['list-a']);
      assert.deepEqual(await list('--name', 'list-b'), ['list-b']);
      assert.deepEqual(await list('--property', 'colour=red'), ['list-b']);
      assert.deepEqual(await list('--status', 'queued'), []);
      assert.deepEqual(await list('--shared', '--status', 'active'), ['list-a', 'list-b']);
      assert.deepEqual(await list('--private'), []);
      assert.deepEqual(await list('--limit', '1'), ['list-a']);
      assert.deepEqual(await list('--marker', 'list-a'), ['list-b']);
      assert.deepEqual(await list('--marker', 'list-b'), []);
      assert.deepEqual(await namesIn(as('alt'), '--tag', 'listed'), []);
      const project = ['--tag', 'listed', '--project', 'demo', '--long'];
      const long = JSON.parse(
        await succeeded(as('admin')('image', 'list', '-f', 'json', ...project)),
      ) as Record<string, unknown>[];
      assert.equal(long.length, 2);
      assert.deepEqual(
        [long[0]?.Checksum, long[0]?.Size, long[0]?.Project, long[0]?.Visibility],
        [disk.md5, disk.size, await projectId('demo'), 'shared'],
      );
    });

    test('image list: public and community images of others, for who asks', async () => {
      const { as } = site();
      await created(as('admin'), '--public', 'of everyone');
      await created(as('admin'), '--community', 'of the community');
      const seen = (...args: readonly string[]) => namesIn(as('alt'), ...args);
      assert.ok((await seen('--public')).includes('of everyone'));
      assert.equal((await seen()).includes('of the community'), false);
      assert.ok((await seen('--community')).includes('of the community'));
      assert.ok((await seen('--all')).includes('of the community'));
      await refused(as('alt')('image', 'set', '--name', 'x', 'of everyone'), /403/);
    });

    test('image save: the same bytes, for who may have them', async () => {
      const { as, directory, disk } = site();
      const { id } = await create(...raw, '--file', disk.path, 'saved');
      const copy = join(directory, 'openstack-copy');
      await demo('save', '--file', copy, 'saved');
      await assertSameBytes(copy, disk.path);
      await refused(
        as('viewer', 'demo')('image', 'save', '--file', copy, id),
        /Unable to download/,
      );
    });

    test('image set: every field and any property, for who may', async () => {
      const { as } = site();
      const { id } = await create('before');
      await demo(
        ...['set', '--name', 'after', '--min-disk', '1', '--min-ram', '2', '--community'],
        ...[...raw, '--architecture', 'x86_64', '--os-distro', 'debian', '--os-version', '12'],
        ...['--kernel-id', id, '--ramdisk-id', id, '--instance-id', id, '--tag', 'set'],
        ...['--property', 'hw_vif_model=e1000', 'before'],
      );
      assertHas(await shown(id), {
        name: 'after',
        min_disk: 1,
        min_ram: 2,
        visibility: 'community',
        disk_format: 'raw',
        container_format: 'bare',
        architecture: 'x86_64',
        os_distro: 'debian',
        os_version: '12',
        kernel_id: id,
        ramdisk_id: id,
        instance_id: id,
        tags: ['set'],
        hw_vif_model: 'e1000',
      });
      const rename = ['image', 'set', '--name', 'mine', id];
      await refused(as('viewer', 'demo')(...rename), /403/);
      await refused(as('alt')(...rename), /403/);
      await demo('set', '--private', id);
      await refused(as('alt')(...rename), /No Image found for/);
      await refused(as('demo')('image', 'set', '--public', id), /403/);
      await succeeded(as('admin')('image', 'set', '--public', id));
      assertHas(await shownTo(as('alt'), id), { visibility: 'public' });
    });

    test('image set --hidden and --unhidden: hidden from lists, not from its name', async () => {
      const { as } = site();
      await create('hidden one');
      await demo('set', '--hidden', 'hidden one');
      assert.deepEqual(await namesIn(as('demo'), '--name', 'hidden one'), []);
      assert.ok((await namesIn(as('demo'), '--hidden')).includes('hidden one'));
      assertHas(await shown('hidden one'), { os_hidden: true });
      await demo('set', '--unhidden', 'hidden one');
      assert.deepEqual(await namesIn(as('demo'), '--name', 'hidden one'), ['hidden one']);
    });

    test('image set --deactivate and --activate: bytes are kept from all but administrators', async () => {
      const { as, directory, disk } = site();
      const { id } = await create(...raw, '--file', disk.path, 'switched');
      const copy = join(directory, 'deactivated-copy');
      // This client ends well whatever it is answered to an action.
      await as('viewer', 'demo')('image', 'set', '--deactivate', id);
      assertHas(await shown(id), { status: 'active' });
      await demo('set', '--deactivate', id);
      assertHas(await shown(id), { status: 'deactivated' });
      await refused(as('demo')('image', 'save', '--file', copy, id), /Unable to download/);
      await succeeded(as('admin')('image', 'save', '--file', copy, id));
      await assertSameBytes(copy, disk.path);
      await demo('set', '--activate', id);
      await demo('save', '--file', copy, id);
    });

    test('image set --project: given away by an administrator alone', async () => {
      const { as, projectId } = site();
      const { id } = await create('to give away');
      const alt = await projectId('alt');
      await refused(as('demo')('image', 'set', '--project', alt, id), /403/);
      await succeeded(as('admin')('image', 'set', '--project', 'alt', id));
      assertHas(await shownTo(as('alt'), id), { owner: alt });
      await refused(as('demo')('image', 'show', id), /No Image found for/);
    });

    test('image unset: tags and properties, and what is not there by its name', async () => {
      const { as } = site();
      const { id } = await create('--tag', 'a', '--tag', 'b', '--property', 'x=1', 'to unset');
      await refused(as('viewer', 'demo')('image', 'unset', '--tag', 'a', id), /[Ff]ailed to unset/);
      await demo('unset', '--tag', 'a', '--property', 'x', id);
      assertHas(await shown(id), { tags: ['b'], x: undefined });
      await refused(as('demo')('image', 'unset', '--tag', 'a', id), /[Ff]ailed to unset/);
      await refused(as('demo')('image', 'unset', '--property', 'x', id), /[Ff]ailed to unset/);
    });

    test('image delete: several at once, and each refusal by its image', async () => {
      const { as } = site();
      for (const name of ['gone-1', 'gone-2']) await create(name);
      await create('stays');
      await demo('set', '--protected', 'stays');
      await refused(as('viewer', 'demo')('image', 'delete', 'gone-1'), /403/);
      const said = await refused(
        as('demo')('image', 'delete', 'gone-1', 'stays', 'gone-2', 'never-was'),
        /Failed to delete 2 of 4 images/,
      );
      assert.match(said, /stays.*403.*protected/s);
      for (const name of ['gone-1', 'gone-2'])
        await refused(as('demo')('image', 'show', name), /No Image found for/);
      await demo('set', '--unprotected', 'stays');
      await demo('delete', 'stays');
    });
  });
}
