import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { octets, type RawClient } from './client.ts';

const bytes = Buffer.from('a root disk\n'.repeat(2000));
const digest = (algorithm: string, of: Uint8Array) =>
  createHash(algorithm).update(of).digest('hex');
const raw = { disk_format: 'raw', container_format: 'bare' };

interface Clients {
  readonly demo: RawClient;
  /** Sends `Accept: ` on what changes an image, as the SDK does. */
  readonly sdk: RawClient;
  readonly defaultStore: string;
  readonly sizeCap: number;
}

/** What Nova, Cinder, Ironic and the SDK under them rely on. */
export function serviceSessions(clients: () => Clients): void {
  describe('Nova', () => {
    for (const disk_format of ['qcow2', 'vhd', 'vmdk', 'raw'])
      test(`a snapshot of volumes is an empty upload, declared ${disk_format}`, async () => {
        const { demo } = clients();
        const properties = {
          block_device_mapping: JSON.stringify([{ boot_index: 0, snapshot_id: 'abc', size: 1 }]),
          bdm_v2: 'True',
          root_device_name: '/dev/vda',
          mappings: '[]',
          hw_disk_bus: 'virtio',
          img_config_drive: 'optional',
        };
        const { id } = await demo.create({
          ...properties,
          ...{ name: 'snapshot', disk_format, container_format: 'bare', visibility: 'private' },
        });
        await demo.upload(id, Buffer.alloc(0), { 'Content-Length': 0 });
        const image = await demo.show(id);
        const nothing = Buffer.alloc(0);
        assert.deepEqual(
          [image.status, image.size, image.checksum, image.os_hash_value],
          ['active', 0, digest('md5', nothing), digest('sha512', nothing)],
        );
        for (const [name, value] of Object.entries(properties)) assert.equal(image[name], value);
        assert.equal('deleted' in image, false);
        const file = await demo.call(200, 'GET', `/v2/images/${id}/file`);
        assert.deepEqual(
          [file.bytes.length, file.headers['content-length'], file.headers['content-md5']],
          [0, '0', digest('md5', nothing)],
        );
      });

    test('an empty upload in no chunk at all is active too', async () => {
      const { demo } = clients();
      const { id } = await demo.create({ disk_format: 'qcow2', container_format: 'bare' });
      await demo.upload(id, Buffer.alloc(0), { 'Transfer-Encoding': 'chunked' });
      assert.deepEqual([(await demo.show(id)).status, (await demo.show(id)).size], ['active', 0]);
    });

    test('a declared size of 0 means that none is known', async () => {
      const { demo } = clients();
      const { id } = await demo.create(raw);
      await demo.upload(id, bytes, {
        'Transfer-Encoding': 'chunked',
        'X-OpenStack-Image-Size': '0',
      });
      assert.equal((await demo.show(id)).size, bytes.length);
    });

    test('a download is checked by what the image says, whole and in part', async () => {
      const { demo } = clients();
      const { id } = await demo.create(raw);
      await demo.call(204, 'GET', `/v2/images/${id}/file`);
      await demo.upload(id, bytes);
      const image = await demo.show(id);
      assert.equal(image.os_hash_algo, 'sha512');
      const whole = await demo.call(200, 'GET', `/v2/images/${id}/file`);
      assert.equal(digest('sha512', whole.bytes), image.os_hash_value);
      assert.equal(digest('md5', whole.bytes), whole.headers['content-md5']);
      const part = await demo.call(206, 'GET', `/v2/images/${id}/file`, undefined, {
        Range: 'bytes=100-',
      });
      assert.ok(part.bytes.equals(bytes.subarray(100)));
      assert.equal(part.headers['content-md5'], image.checksum);
    });

    test('a second upload is 409, apart from every 400', async () => {
      const { demo } = clients();
      const { id } = await demo.create(raw);
      await demo.upload(id, bytes);
      await demo.call(409, 'PUT', `/v2/images/${id}/file`, bytes, octets);
      const unformatted = await demo.create({ name: 'no formats' });
      await demo.call(400, 'PUT', `/v2/images/${unformatted.id}/file`, bytes, octets);
    });
  });

  describe('Cinder', () => {
    test('core fields of the schema have no is_base, the rest say false', async () => {
      const { properties } = (
        await clients().demo.call(200, 'GET', '/v2/schemas/image')
      ).json() as {
        properties: Record<string, { is_base?: boolean }>;
      };
      const said = (is_base: boolean | undefined) =>
        Object.keys(properties).filter((name) => properties[name]?.is_base === is_base);
      for (const name of ['id', 'size', 'checksum', 'os_hash_value', 'min_disk', 'locations'])
        assert.ok(said(undefined).includes(name), name);
      assert.deepEqual(said(false).sort(), [
        'architecture',
        'cinder_encryption_key_deletion_policy',
        'cinder_encryption_key_id',
        'description',
        'instance_uuid',
        'kernel_id',
        'os_distro',
        'os_version',
        'ramdisk_id',
      ]);
      assert.deepEqual(said(true), []);
    });

    test('X-Image-Meta-Store names the store of an upload, and an unknown one is 400', async () => {
      const { demo, defaultStore } = clients();
      const { id } = await demo.create(raw);
      const unknown = { ...octets, 'X-Image-Meta-Store': 'no-such-store' };
      await demo.call(400, 'PUT', `/v2/images/${id}/file`, bytes, unknown);
      assert.equal((await demo.show(id)).status, 'queued');
      await demo.upload(id, bytes, { 'X-Image-Meta-Store': defaultStore });
      assert.equal((await demo.show(id)).status, 'active');
    });

    test('an upload above the limit is 413, declared or not, and the image queued again', async () => {
      const { demo, sizeCap } = clients();
      const { id } = await demo.create(raw);
      const tooLarge = Buffer.alloc(sizeCap + 1);
      const path = `/v2/images/${id}/file`;
      await demo.call(413, 'PUT', path, tooLarge, octets);
      await demo.call(413, 'PUT', path, tooLarge, { ...octets, 'Transfer-Encoding': 'chunked' });
      assert.deepEqual(
        [(await demo.show(id)).status, (await demo.show(id)).size],
        ['queued', null],
      );
      await demo.upload(id, tooLarge.subarray(1));
      assert.equal((await demo.show(id)).size, sizeCap);
    });

    test('the properties of an encrypted volume are kept, and judged', async () => {
      const { demo } = clients();
      const key = {
        cinder_encryption_key_id: '0b9d1c1e-5a9a-4d0f-9a8b-3d8c9f0e1a2b',
        cinder_encryption_key_deletion_policy: 'do_not_delete',
        'image_service:store_id': 'any',
      };
      const { id } = await demo.create(key);
      const image = await demo.show(id);
      for (const [name, value] of Object.entries(key)) assert.equal(image[name], value);
      const odd = { ...key, cinder_encryption_key_deletion_policy: 'perhaps' };
      await demo.send(400, 'POST', '/v2/images', odd);
    });
  });

  describe('the SDK', () => {
    test('an empty Accept is answered all the same, and a refusal in plain text', async () => {
      const { sdk } = clients();
      const { id } = await sdk.create({ ...raw, 'owner_specified.openstack.md5': '' });
      const patched = await sdk.patch(200, id, { op: 'replace', path: '/name', value: 'n' });
      assert.deepEqual(
        [patched.json().name, patched.json()['owner_specified.openstack.md5']],
        ['n', ''],
      );
      await sdk.upload(id, bytes, { 'X-OpenStack-Image-Size': String(bytes.length) });
      const refused = await sdk.patch(403, id, { op: 'replace', path: '/id', value: id });
      assert.match(refused.headers['content-type'] ?? '', /^text\/plain/);
      assert.match(refused.text, /^403 Forbidden\n\n/);
      for (const method of ['PUT', 'DELETE'])
        await sdk.call(204, method, `/v2/images/${id}/tags/a%20tag%2Fb`);
    });

    test('what there is, is told at / with 300 and to who asks /v2 with 404', async () => {
      const { sdk } = clients();
      const choices = (await sdk.call(300, 'GET', '/')).json() as {
        versions: { id: string; status: string; links: { href: string }[] }[];
      };
      assert.match(choices.versions[0]?.links[0]?.href ?? '', /^http:.*\/v2\/$/);
      assert.ok(choices.versions.some(({ status }) => status === 'CURRENT'));
      await sdk.call(404, 'GET', '/v2/');
      assert.deepEqual((await sdk.call(200, 'GET', '/versions')).json(), choices);
    });
  });
}
