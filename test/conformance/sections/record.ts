import { createHash } from 'node:crypto';
import { section } from '../case.ts';
import { add, set } from '../client.ts';
import { someBytes } from '../site.ts';

const diskFormats = 'ami ari aki vhd vhdx vmdk raw qcow2 vdi iso ploop'.split(' ');
const containerFormats = 'ami ari aki bare ovf ova docker compressed'.split(' ');
const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Reference, section 3. */
export const record = section('record', (says) => {
  says('a new image has every base field at its default', async ({ demo, projects }) => {
    const reply = (await demo.post('/v2/images', {})).is(201);
    const { id, created_at, updated_at, locations, ...rest } = reply.json();
    reply.that('a random UUID', uuid4.test(String(id)), id);
    reply.same('updated_at =', updated_at, created_at);
    reply.same('the rest', rest, {
      name: null,
      status: 'queued',
      visibility: 'shared',
      protected: false,
      os_hidden: false,
      owner: projects.demo,
      disk_format: null,
      container_format: null,
      size: null,
      virtual_size: null,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      min_disk: 0,
      min_ram: 0,
      tags: [],
      self: `/v2/images/${id}`,
      file: `/v2/images/${id}/file`,
      schema: '/v2/schemas/image',
    });
  });

  says('show and list give the fields that create gave', async ({ demo, unique }) => {
    const name = unique();
    const created = (await demo.post('/v2/images', { name, os_distro: 'debian' })).is(201).json();
    const shown = (await demo.show(String(created.id))).is(200);
    shown.same('the image', shown.json(), created);
    const listed = (await demo.get(`/v2/images?name=${name}`)).is(200);
    listed.same('the images', listed.json().images, [created]);
  });

  says('everything that a client may write comes back as given', async ({ demo, unique }) => {
    const given = {
      name: unique(),
      visibility: 'private',
      protected: true,
      os_hidden: true,
      disk_format: 'qcow2',
      container_format: 'ovf',
      min_disk: 7,
      min_ram: 512,
      tags: ['only'],
      os_distro: 'debian',
      hw_disk_bus: 'virtio',
      'with space / and :': 'żółty',
    };
    const created = (await demo.post('/v2/images', given)).is(201).has(given);
    (await demo.show(String(created.id))).is(200).has(given);
  });

  says('data sets size and hashes', async ({ demo, active }) => {
    const digest = (algorithm: string) => createHash(algorithm).update(someBytes).digest('hex');
    (await demo.show(await active())).is(200).has({
      status: 'active',
      size: someBytes.length,
      checksum: digest('md5'),
      os_hash_algo: 'sha512',
      os_hash_value: digest('sha512'),
    });
  });

  says('data of a raw image is its virtual size', async ({ demo, active }) => {
    (await demo.show(await active())).has({ virtual_size: someBytes.length });
  });

  says('an empty owner is stored as null', async ({ admin, image }) => {
    const id = await image({ owner: '' }, admin);
    (await admin.show(id)).is(200).has({ owner: null });
  });

  says('an id is taken in any case', async ({ demo }) => {
    const id = crypto.randomUUID().toUpperCase();
    (await demo.post('/v2/images', { id })).is(201);
    (await demo.show(id)).is(200);
  });

  says('two images may have one name', async ({ demo, unique, image }) => {
    const name = unique();
    await image({ name });
    await image({ name });
    const reply = await demo.get(`/v2/images?name=${name}`);
    const { images } = reply.is(200).json();
    reply.same('how many', Array.isArray(images) && images.length, 2);
  });

  for (const [field, formats] of [
    ['disk_format', diskFormats],
    ['container_format', containerFormats],
  ] as const)
    says(`${field} takes ${formats.join(' ')} and null`, async ({ demo }) => {
      for (const value of [...formats, null])
        (await demo.post('/v2/images', { [field]: value })).is(201).has({ [field]: value });
    });

  for (const field of ['disk_format', 'container_format'])
    says(`${field} takes nothing else`, async ({ demo }) => {
      for (const value of ['', 'QCOW2', 'floppy', 3])
        (await demo.post('/v2/images', { [field]: value })).is(400);
    });

  for (const field of ['min_disk', 'min_ram'])
    says(`${field} takes 0 to 2147483647`, async ({ demo, image }) => {
      const id = await image();
      for (const value of [2147483647, 0])
        (await demo.patch(id, set(field, value))).is(200).has({ [field]: value });
      for (const value of [-1, 2147483648]) {
        (await demo.patch(id, set(field, value))).is(400);
        (await demo.post('/v2/images', { [field]: value })).is(400);
      }
    });

  says('updated_at moves on every save, tags and properties too', async (site) => {
    const { demo, image, eventually } = site;
    const id = await image();
    const at = async () => String((await demo.show(id)).is(200).json().updated_at);
    const changes = [
      () => demo.patch(id, set('name', site.unique())),
      () => demo.patch(id, add('colour', site.unique())),
      () => demo.put(`/v2/images/${id}/tags/${site.unique()}`),
    ];
    for (const change of changes) {
      const before = await at();
      // Seconds are whole: the change is made again until the clock has moved on.
      await eventually(
        async () => {
          (await change()).is(200, 204);
          return demo.show(id);
        },
        (reply) =>
          reply.that(`updated_at after ${before}`, String(reply.json().updated_at) > before),
      );
    }
  });

  says('an image shows no locations', 'no shown locations', async ({ demo, admin, active }) => {
    const id = await active();
    for (const client of [demo, admin]) {
      const reply = (await client.show(id)).is(200);
      reply.that('no locations', !('locations' in reply.json()));
    }
  });

  says('an image shows no direct_url', 'no direct url', async ({ demo, active }) => {
    const reply = (await demo.show(await active())).is(200);
    reply.that('no direct_url', !('direct_url' in reply.json()));
  });

  says('an image shows no stores', 'single store', async ({ demo, active }) => {
    const reply = (await demo.show(await active())).is(200);
    reply.that('no stores', !('stores' in reply.json()));
  });

  says('a custom property may be empty text', async ({ demo }) => {
    (await demo.post('/v2/images', { colour: '' })).is(201).has({ colour: '' });
  });
});
