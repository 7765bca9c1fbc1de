import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { qemuImg } from '../inspection/fixtures.ts';
import { type Client, pick, stockClients, succeeded, tableOf } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type DiskImage, rawDisk, realImages } from '../support/images.ts';
import { showLogOfFailures } from './failures.ts';
import { assertSameBytes } from './same-bytes.ts';

/** By name, so that each has a test of its own before the files are there. */
const names = [
  'raw',
  'qcow2',
  'compressed qcow2',
  'vmdk',
  'stream-optimized vmdk',
  'vdi',
  'vhdx',
  'vpc',
  'the ISO of grub-rescue-pc',
  'the ISO of ipxe',
];

let directory: string;
let daguerre: Daguerre;
let images: readonly DiskImage[];
let glance: Client;
let openstack: Client;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'formats-'));
  [images, daguerre] = await Promise.all([realImages(directory), startDaguerre()]);
  ({ glance, openstack } = stockClients(daguerre.url));
});

after(async () => {
  await daguerre?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('a real image through glance: the bytes come back, sums and virtual size agree', {
  concurrency: 2,
}, () => {
  showLogOfFailures(() => daguerre);

  test('every format is tried', () => {
    assert.deepEqual(
      images.map(({ name }) => name),
      names,
    );
  });

  for (const [index, name] of names.entries())
    test(name, async () => {
      const image = images[index] as DiskImage;
      const created = tableOf(
        await succeeded(
          glance(
            'image-create',
            ...['--name', name, '--file', image.path],
            ...['--disk-format', image.diskFormat, '--container-format', 'bare'],
          ),
        ),
      );
      assert.deepEqual(
        pick(
          created,
          'status',
          'size',
          'virtual_size',
          'checksum',
          'os_hash_algo',
          'os_hash_value',
        ),
        {
          status: 'active',
          size: String(image.size),
          virtual_size: String(image.virtualSize),
          checksum: image.md5,
          os_hash_algo: 'sha512',
          os_hash_value: image.sha512,
        },
      );
      const saved = join(directory, `saved-${index}`);
      const id = created.id ?? '';
      // Both clients take turns; each verifies the hash by itself as well.
      await succeeded(
        index % 2 === 0
          ? glance('image-download', '--file', saved, id)
          : openstack('image', 'save', '--file', saved, id),
      );
      await assertSameBytes(saved, image.path);
      await rm(saved);
    });
});

describe('an image that is refused', () => {
  showLogOfFailures(() => daguerre);

  test('for its backing file tells the client so, stays queued, and its owner can read why', async () => {
    const backing = await rawDisk(await mkdtemp(join(directory, 'backing-')), {
      diskBytes: 32 * 1024 * 1024,
    });
    const overlay = join(directory, 'overlay.qcow2');
    await qemuImg('create', '-f', 'qcow2', '-F', 'raw', '-b', backing, overlay);
    await refused(overlay, 'qcow2', /backing file/i);
  });

  test('for not being what it says tells the client so, stays queued, and its owner can read why', async () => {
    const vmdk = images[names.indexOf('vmdk')] as DiskImage;
    await refused(vmdk.path, 'qcow2', /vmdk/i);
  });

  test('takes a good image afterwards', async () => {
    const iso = images[names.indexOf('the ISO of ipxe')] as DiskImage;
    const qcow2 = images[names.indexOf('qcow2')] as DiskImage;
    const id = await refused(iso.path, 'qcow2', /iso/i);
    await succeeded(glance('image-upload', '--file', qcow2.path, id));
    const shown = tableOf(await succeeded(glance('image-show', id)));
    assert.deepEqual(pick(shown, 'status', 'checksum'), { status: 'active', checksum: qcow2.md5 });
  });
});

/** Uploads what must be refused with 415; resolves with the image's id. */
async function refused(path: string, diskFormat: string, reason: RegExp): Promise<string> {
  const made = tableOf(
    await succeeded(
      glance(
        'image-create',
        '--name',
        'refused',
        '--disk-format',
        diskFormat,
        '--container-format',
        'bare',
      ),
    ),
  );
  const id = made.id ?? '';
  const upload = await glance('image-upload', '--file', path, id);
  assert.notEqual(upload.code, 0);
  assert.match(upload.all, /415/);
  assert.match(upload.all, reason);
  const shown = tableOf(await succeeded(glance('image-show', id)));
  assert.deepEqual(pick(shown, 'status', 'size', 'checksum'), {
    status: 'queued',
    size: 'None',
    checksum: 'None',
  });
  assert.match(shown.os_glance_failed_upload ?? '', reason);
  return id;
}
