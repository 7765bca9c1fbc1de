import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { qemuImg } from '../inspection/fixtures.ts';
import { pick, stockClients, succeeded, tableOf } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type DiskImage, measured, rawDisk } from '../support/images.ts';
import { showLogOfFailures } from './failures.ts';
import { assertSameBytes } from './same-bytes.ts';

/** What Glance prints of a new image with these properties, in its order. */
const printedRows = [
  'checksum',
  'container_format',
  'created_at',
  'disk_format',
  'hw_disk_bus',
  'id',
  'min_disk',
  'min_ram',
  'name',
  'os_hash_algo',
  'os_hash_value',
  'os_hidden',
  'owner',
  'protected',
  'size',
  'status',
  'tags',
  'updated_at',
  'virtual_size',
  'visibility',
];

let directory: string;
let daguerre: Daguerre;
let image: DiskImage;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'clients-'));
  const raw = await rawDisk(directory, { contentBytes: 6_000_000 });
  const qcow2 = join(directory, 'cirros.qcow2');
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2);
  [image, daguerre] = await Promise.all([
    measured('cirros', qcow2, 'qcow2', 'qcow2'),
    startDaguerre(),
  ]);
});

after(async () => {
  await daguerre?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('stock clients without Keystone', { concurrency: 2 }, () => {
  showLogOfFailures(() => daguerre);

  test('glance: an image from create to delete', async (t) => {
    const { glance } = stockClients(daguerre.url);
    let id = '';
    const shown = async () => tableOf(await succeeded(glance('image-show', id)));

    await t.test('image-create prints the table that Glance prints', async () => {
      const created = tableOf(
        await succeeded(
          glance(
            'image-create',
            ...['--name', 'cirros', '--file', image.path, '--disk-format', 'qcow2'],
            ...['--container-format', 'bare', '--visibility', 'public'],
            ...['--property', 'hw_disk_bus=virtio'],
          ),
        ),
      );
      id = created.id ?? '';
      assert.match(id, /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
      const { Property, created_at, updated_at, id: _, ...rest } = created;
      assert.equal(Property, 'Value');
      for (const time of [created_at, updated_at])
        assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual(Object.keys(created), ['Property', ...printedRows]);
      assert.deepEqual(rest, {
        checksum: image.md5,
        container_format: 'bare',
        disk_format: 'qcow2',
        hw_disk_bus: 'virtio',
        min_disk: '0',
        min_ram: '0',
        name: 'cirros',
        os_hash_algo: 'sha512',
        os_hash_value: image.sha512,
        os_hidden: 'False',
        owner: 'default',
        protected: 'False',
        size: String(image.size),
        status: 'active',
        tags: '[]',
        virtual_size: String(image.virtualSize),
        visibility: 'public',
      });
    });

    await t.test('image-list has it', async () => {
      assert.ok((await succeeded(glance('image-list'))).includes(`| ${id} | cirros |`));
    });

    await t.test('image-download brings the bytes back', async () => {
      const saved = join(directory, 'glance-saved');
      await succeeded(glance('image-download', '--file', saved, id));
      await assertSameBytes(saved, image.path);
    });

    await t.test('image-update changes, adds and removes', async () => {
      await succeeded(
        glance(
          'image-update',
          ...['--name', 'cirrus', '--min-ram', '64', '--property', 'os_distro=cirros'],
          ...['--remove-property', 'hw_disk_bus', id],
        ),
      );
      const after = await shown();
      assert.deepEqual(pick(after, 'name', 'min_ram', 'os_distro', 'hw_disk_bus'), {
        name: 'cirrus',
        min_ram: '64',
        os_distro: 'cirros',
        hw_disk_bus: undefined,
      });
    });

    await t.test('image-tag-update and image-tag-delete', async () => {
      await succeeded(glance('image-tag-update', id, 'tiny'));
      await succeeded(glance('image-tag-update', id, 'old'));
      await succeeded(glance('image-tag-delete', id, 'old'));
      assert.match((await shown()).tags ?? '', /^\["?'?tiny'?"?\]$/);
    });

    await t.test(
      'image-deactivate keeps its bytes from others, image-reactivate gives them back',
      async () => {
        const other = stockClients(daguerre.url, 'visitor:elsewhere:member').glance;
        const saved = join(directory, 'others-saved');
        await succeeded(glance('image-deactivate', id));
        assert.equal((await shown()).status, 'deactivated');
        const refused = await other('image-download', '--file', saved, id);
        assert.notEqual(refused.code, 0);
        assert.match(refused.all, /403/);
        await succeeded(glance('image-reactivate', id));
        await succeeded(other('image-download', '--file', saved, id));
        await assertSameBytes(saved, image.path);
      },
    );

    await t.test('image-delete', async () => {
      await succeeded(glance('image-delete', id));
      const gone = await glance('image-show', id);
      assert.notEqual(gone.code, 0);
      assert.match(gone.all, /404|No image found/);
      assert.ok(!(await succeeded(glance('image-list'))).includes(id));
    });
  });

  test('openstack: an image from create to delete', async (t) => {
    const { openstack } = stockClients(daguerre.url);
    let id = '';
    const shown = async (): Promise<Record<string, unknown>> =>
      JSON.parse(await succeeded(openstack('image', 'show', '-f', 'json', id)));

    await t.test('image create', async () => {
      const printed = await succeeded(
        openstack(
          ...['image', 'create', '-f', 'json', '--file', image.path, '--disk-format', 'qcow2'],
          ...[
            '--container-format',
            'bare',
            '--public',
            '--property',
            'hw_disk_bus=virtio',
            'debian',
          ],
        ),
      );
      id = JSON.parse(printed).id;
      const { status, checksum, size, virtual_size, visibility, owner, properties } = await shown();
      assert.deepEqual(
        { status, checksum, size, visibility, owner },
        {
          status: 'active',
          checksum: image.md5,
          size: image.size,
          visibility: 'public',
          owner: 'default',
        },
      );
      assert.equal(
        virtual_size ?? (properties as { virtual_size?: number }).virtual_size,
        image.virtualSize,
      );
      const { os_hash_algo, os_hash_value, hw_disk_bus } = properties as Record<string, unknown>;
      assert.deepEqual(
        { os_hash_algo, os_hash_value, hw_disk_bus },
        { os_hash_algo: 'sha512', os_hash_value: image.sha512, hw_disk_bus: 'virtio' },
      );
    });

    await t.test('image list, and by name and property', async () => {
      const listed = await succeeded(
        openstack('image', 'list', '-f', 'value', '--public', '--property', 'hw_disk_bus=virtio'),
      );
      assert.ok(listed.includes(`${id} debian active`), listed);
    });

    await t.test('image save brings the bytes back', async () => {
      const saved = join(directory, 'openstack-saved');
      await succeeded(openstack('image', 'save', '--file', saved, id));
      await assertSameBytes(saved, image.path);
    });

    await t.test('image set and unset change it', async () => {
      await succeeded(
        openstack(
          ...[
            'image',
            'set',
            '--name',
            'debian-12',
            '--min-disk',
            '2',
            '--tag',
            'tiny',
            '--tag',
            'old',
          ],
          ...['--property', 'os_distro=debian', id],
        ),
      );
      await succeeded(openstack('image', 'unset', '--tag', 'old', '--property', 'hw_disk_bus', id));
      const { name, min_disk, tags, properties } = await shown();
      assert.deepEqual(
        { name, min_disk, tags },
        { name: 'debian-12', min_disk: 2, tags: ['tiny'] },
      );
      const { os_distro, hw_disk_bus } = properties as Record<string, unknown>;
      assert.deepEqual({ os_distro, hw_disk_bus }, { os_distro: 'debian', hw_disk_bus: undefined });
    });

    await t.test('image set --deactivate and --activate', async () => {
      await succeeded(openstack('image', 'set', '--deactivate', id));
      assert.equal((await shown()).status, 'deactivated');
      await succeeded(openstack('image', 'set', '--activate', id));
      assert.equal((await shown()).status, 'active');
    });

    await t.test('image delete', async () => {
      await succeeded(openstack('image', 'delete', id));
      const gone = await openstack('image', 'show', id);
      assert.notEqual(gone.code, 0);
      assert.match(gone.all, /No Image found/);
    });
  });
});
