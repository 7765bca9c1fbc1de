import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { until } from '../../support/until.ts';
import { octets, type RawClient, type Wire } from './client.ts';

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const raw = { disk_format: 'raw', container_format: 'bare' };
const bytes = Buffer.from('what a provider uploads\n'.repeat(1000));
const md5 = createHash('md5').update(bytes).digest('hex');
const sha512 = createHash('sha512').update(bytes).digest('hex');

/** The types that gophercloud decodes an image into; one that differs ends the program that uses it. */
function assertDecodes(image: Wire): void {
  for (const name of ['created_at', 'updated_at']) assert.match(String(image[name]), rfc3339);
  for (const name of ['min_disk', 'min_ram']) assert.equal(typeof image[name], 'number');
  for (const name of ['size', 'virtual_size'])
    assert.ok(image[name] === null || typeof image[name] === 'number', name);
  for (const name of ['protected', 'os_hidden']) assert.equal(typeof image[name], 'boolean');
  assert.ok(Array.isArray(image.tags));
  assert.equal(image.self, `/v2/images/${image.id}`);
  assert.equal(image.file, `/v2/images/${image.id}/file`);
}

/** A session of gophercloud, as Terraform's provider drives it: codes are compared exactly. */
export function gophercloudSession(
  clients: () => { readonly demo: RawClient; readonly alt: RawClient; readonly altId: string },
): void {
  describe('gophercloud and Terraform', () => {
    test('an image from 201 to 204, and every type as it is decoded', async () => {
      const { demo } = clients();
      const properties = { os_distro: 'debian', 'x:y.z': '{"json": "text"}' };
      const created = await demo.send(201, 'POST', '/v2/images', {
        ...{ ...raw, ...properties, name: 'provided', tags: ['a', 'b'] },
        ...{ min_disk: 1, min_ram: 2, protected: false, visibility: 'private' },
      });
      const image = created.json() as Wire;
      assert.match(
        created.headers.location ?? '',
        new RegExp(`^http://127\\.0\\.0\\.1:\\d+/v2/images/${image.id}$`),
      );
      assertDecodes(image);
      assert.equal(image.size, null);
      const before = await demo.show(image.id);
      assert.deepEqual(before, image);
      assert.deepEqual(
        Object.fromEntries(Object.keys(properties).map((name) => [name, before[name]])),
        properties,
      );

      await demo.upload(image.id, bytes);
      const active = await until('the image to be active', async () => {
        const now = await demo.show(image.id);
        assert.match(String(now.status), /^(queued|saving|importing|active)$/);
        return now.status === 'active' && now;
      });
      assertDecodes(active);
      assert.deepEqual(
        [active.size, active.checksum, active.os_hash_algo, active.os_hash_value],
        [bytes.length, md5, 'sha512', sha512],
      );

      const patched = await demo.patch(
        200,
        image.id,
        { op: 'replace', path: '/name', value: 'renamed' },
        { op: 'replace', path: '/tags', value: ['c'] },
        { op: 'replace', path: '/os_distro', value: 'fedora' },
        { op: 'add', path: '/os_version', value: '40' },
        { op: 'remove', path: '/x:y.z' },
        { op: 'replace', path: '/min_disk', value: 3 },
        { op: 'replace', path: '/visibility', value: 'shared' },
      );
      const after = patched.json() as Wire;
      assertDecodes(after);
      assert.deepEqual(
        [after.name, after.tags, after.os_distro, after.os_version, after['x:y.z'], after.min_disk],
        ['renamed', ['c'], 'fedora', '40', undefined, 3],
      );

      const file = await demo.call(200, 'GET', `/v2/images/${image.id}/file`);
      assert.ok(file.bytes.equals(bytes));
      assert.equal(file.headers['content-type'], 'application/octet-stream');
      assert.equal(file.headers['content-length'], String(bytes.length));
      assert.equal(file.headers['content-md5'], md5);

      assert.equal((await demo.call(204, 'DELETE', `/v2/images/${image.id}`)).text, '');
      const { message } = (await demo.call(404, 'GET', `/v2/images/${image.id}`)).json();
      assert.match(String(message), new RegExp(image.id));
      await demo.call(404, 'DELETE', `/v2/images/${image.id}`);
    });

    test('the methods of import are told at creation', async () => {
      const created = await clients().demo.send(201, 'POST', '/v2/images', { name: 'imports' });
      const offered = (await clients().demo.call(200, 'GET', '/v2/info/import')).json() as {
        'import-methods': { value: string[] };
      };
      const { value } = offered['import-methods'];
      const told = created.headers['openstack-image-import-methods'];
      assert.equal(told, value.length === 0 ? undefined : value.join(','));
      assert.equal(created.headers['openstack-image-store-ids'], undefined);
    });

    test('pages are followed by links without a host, up to one that has none', async () => {
      const { demo } = clients();
      const made: string[] = [];
      for (const name of ['page-1', 'page-2', 'page-3'])
        made.push((await demo.create({ name, paged: 'yes' })).id);
      const found: string[] = [];
      let path: string | undefined = '/v2/images?limit=2&paged=yes&sort=name:asc';
      let pages = 0;
      while (path !== undefined) {
        const page = (await demo.call(200, 'GET', path)).json() as {
          images: Wire[];
          next?: string;
        };
        found.push(...page.images.map(({ id }) => id));
        if (page.next !== undefined) assert.match(page.next, /^\/v2\/images\?.*marker=/);
        path = page.next;
        pages++;
      }
      assert.deepEqual(found, made);
      assert.equal(pages, 2);
    });

    test('members: 200, 200, 200 and 204', async () => {
      const { demo, alt, altId } = clients();
      const { id } = await demo.create({ name: 'for members' });
      const path = `/v2/images/${id}/members`;
      const member = (await demo.send(200, 'POST', path, { member: altId })).json();
      assert.deepEqual(
        [member.member_id, member.image_id, member.status, member.schema],
        [altId, id, 'pending', '/v2/schemas/member'],
      );
      for (const name of ['created_at', 'updated_at']) assert.match(String(member[name]), rfc3339);
      const answer = await alt.send(200, 'PUT', `${path}/${altId}`, { status: 'accepted' });
      assert.equal(answer.json().status, 'accepted');
      const { members } = (await demo.call(200, 'GET', path)).json() as { members: unknown[] };
      assert.deepEqual(members, [answer.json()]);
      assert.equal((await demo.call(204, 'DELETE', `${path}/${altId}`)).text, '');
      await alt.call(404, 'GET', `/v2/images/${id}`);
    });

    test('stage is 204 and import 202, then it is waited for', async () => {
      const { demo } = clients();
      const { id } = await demo.create({ ...raw, name: 'imported' });
      assert.equal((await demo.call(204, 'PUT', `/v2/images/${id}/stage`, bytes, octets)).text, '');
      assert.equal((await demo.show(id)).status, 'uploading');
      const method = { method: { name: 'glance-direct' } };
      assert.equal((await demo.send(202, 'POST', `/v2/images/${id}/import`, method)).text, '');
      const image = await until('the import', async () => {
        const now = await demo.show(id);
        assertDecodes(now);
        assert.match(String(now.status), /^(uploading|importing|active)$/);
        return now.status === 'active' && now;
      });
      assert.deepEqual([image.size, image.checksum], [bytes.length, md5]);
    });

    test('refusals are JSON with a message, in exact codes', async () => {
      const { demo } = clients();
      const { id } = await demo.create({ ...raw, protected: true });
      const refusals = [
        await demo.call(403, 'DELETE', `/v2/images/${id}`),
        await demo.send(400, 'POST', '/v2/images', { name: 7 }),
        await demo.send(409, 'POST', '/v2/images', { id }),
        await demo.send(403, 'POST', '/v2/images', { visibility: 'public' }),
        await demo.patch(409, id, { op: 'replace', path: '/missing', value: 'x' }),
        await demo.call(415, 'PATCH', `/v2/images/${id}`, '[]', {
          'Content-Type': 'application/json-patch+json',
        }),
      ];
      for (const refusal of refusals) {
        assert.match(refusal.headers['content-type'] ?? '', /^application\/json/);
        const { message, code } = refusal.json();
        assert.ok(typeof message === 'string' && message !== '', refusal.text);
        assert.equal(code, `${refusal.status} ${refusal.reason}`);
      }
    });
  });
}
