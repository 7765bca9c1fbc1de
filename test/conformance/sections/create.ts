import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

const long = (length: number): string => 'x'.repeat(length);
const schemaViolations: Readonly<Record<string, unknown>> = {
  'a name that is a number': { name: 3 },
  'a name of 256 characters': { name: long(256) },
  'a tag of 256 characters': { tags: [long(256)] },
  'tags that are text': { tags: 'one' },
  'a tag that is a number': { tags: [1] },
  'an id that is no UUID': { id: 'mine' },
  'an id without dashes': { id: randomUUID().replaceAll('-', '') },
  'an id that is null': { id: null },
  'an unknown visibility': { visibility: 'secret' },
  'a null visibility': { visibility: null },
  'protected as text': { protected: 'true' },
  'os_hidden as text': { os_hidden: 'true' },
  'min_disk as text': { min_disk: '1' },
  'min_ram as a fraction': { min_ram: 1.5 },
  'min_disk below 0': { min_disk: -1 },
  'min_ram beyond 31 bits': { min_ram: 2147483648 },
  'an owner of 256 characters': { owner: long(256) },
  'a custom property that is a number': { colour: 3 },
  'a custom property that is true': { colour: true },
  'a custom property that is null': { colour: null },
  'a custom property that is an array': { colour: ['red'] },
  'a custom property that is an object': { colour: {} },
  'a custom property with a name of 256 characters': { [long(256)]: 'x' },
  'a kernel_id that is no UUID': { kernel_id: 'vmlinuz' },
  'an unknown key deletion policy': { cinder_encryption_key_deletion_policy: 'never' },
  'a wrongly typed read-only field': { size: 'big' },
  'a status that is unknown': { status: 'asleep' },
};

const readOnly: Readonly<Record<string, unknown>> = {
  status: 'queued',
  checksum: null,
  size: 1,
  virtual_size: 1,
  created_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-01-01T00:00:00Z',
  os_hash_algo: 'sha512',
  os_hash_value: 'ab',
  self: '/v2/images/x',
  file: '/v2/images/x/file',
  schema: '/v2/schemas/image',
  direct_url: 'file:///x',
  stores: 'fast',
};

const reserved: Readonly<Record<string, unknown>> = {
  location: 'file:///x',
  deleted: 'false',
  deleted_at: '2026-01-01T00:00:00Z',
  os_glance_import_task: 'x',
  os_glance_mine: 'x',
};

/** Reference, section 6.1. */
export const create = section('create', (says) => {
  says('an empty object is enough', async ({ demo }) => {
    (await demo.post('/v2/images', {})).is(201);
  });

  for (const [what, body] of Object.entries(schemaViolations))
    says(`${what} is 400`, async ({ demo }) => {
      (await demo.post('/v2/images', body)).is(400);
    });

  for (const [name, value] of Object.entries(readOnly))
    says(`${name} is read-only: 403`, async ({ demo, admin }) => {
      for (const client of [demo, admin])
        (await client.post('/v2/images', { [name]: value })).is(403);
    });

  for (const [name, value] of Object.entries(reserved))
    says(`${name} is reserved: 403`, async ({ demo, admin }) => {
      for (const client of [demo, admin])
        (await client.post('/v2/images', { [name]: value })).is(403);
    });

  says('locations is reserved: 403', async ({ demo }) => {
    const locations = [{ url: 'http://example.org/x', metadata: {} }];
    (await demo.post('/v2/images', { locations })).is(403);
  });

  says('an array as body is 400', async ({ demo }) => {
    (await demo.post('/v2/images', [])).is(400);
  });

  for (const [what, value] of Object.entries({ name: null, kernel_id: null, ramdisk_id: null }))
    says(`${what} may be null`, async ({ demo }) => {
      (await demo.post('/v2/images', { [what]: value })).is(201);
    });

  says('names, tags and values may have 255 characters and more', async ({ demo }) => {
    const given = { name: 'ż'.repeat(255), tags: [long(255)], [long(255)]: long(10_000) };
    (await demo.post('/v2/images', given)).is(201).has(given);
  });

  says('the id that a client gives is taken once', async ({ demo, alt }) => {
    const id = randomUUID();
    (await demo.post('/v2/images', { id })).is(201).has({ id, self: `/v2/images/${id}` });
    for (const client of [demo, alt]) (await client.post('/v2/images', { id })).is(409);
  });

  says('the id of a deleted image is not given again', async ({ demo, image }) => {
    const id = await image();
    (await demo.delete(`/v2/images/${id}`)).is(204);
    (await demo.post('/v2/images', { id })).is(409);
  });

  says('duplicate tags collapse', async ({ demo }) => {
    const reply = (await demo.post('/v2/images', { tags: ['b', 'a', 'b'] })).is(201);
    const { tags } = reply.json();
    reply.same('tags, sorted,', Array.isArray(tags) && tags.sort(), ['a', 'b']);
  });

  says('the own project may be named as owner', async ({ demo, projects }) => {
    (await demo.post('/v2/images', { owner: projects.demo })).is(201);
  });

  says('import methods are announced in a header', 'import', async ({ demo, offer }) => {
    const reply = (await demo.post('/v2/images', {})).is(201);
    reply.header('openstack-image-import-methods', offer.importMethods.join(','));
    reply.header('openstack-image-import-methods', /^[^ ]+$/);
  });

  says('stores are announced in a header', 'multiple stores', async ({ demo, offer }) => {
    const reply = (await demo.post('/v2/images', {})).is(201);
    const announced = String(reply.headers['openstack-image-store-ids'] ?? '');
    const ids = offer.stores.map(({ id }) => id);
    reply.same('the ids, sorted,', announced.split(',').sort(), ids.sort());
  });

  says('no stores are announced by a single store', 'single store', async ({ demo }) => {
    const reply = (await demo.post('/v2/images', {})).is(201);
    reply.header('openstack-image-store-ids', undefined);
  });
});
