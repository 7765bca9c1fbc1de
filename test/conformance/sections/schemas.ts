import { section } from '../case.ts';
import { type Document, isDocument, type Reply } from '../reply.ts';

const documentIn = (reply: Reply, ...path: readonly string[]): Document => {
  let found: unknown = reply.is(200).json();
  for (const name of path) found = isDocument(found) ? found[name] : undefined;
  reply.that(`an object at ${path.join('.')}`, isDocument(found));
  return isDocument(found) ? found : {};
};

const base =
  'id name status visibility protected os_hidden checksum os_hash_algo os_hash_value owner size virtual_size container_format disk_format created_at updated_at tags direct_url min_ram min_disk self file schema locations';
const readOnly =
  'status checksum os_hash_algo os_hash_value size virtual_size created_at updated_at direct_url self file schema';
const operator =
  'kernel_id ramdisk_id instance_uuid architecture os_distro os_version description cinder_encryption_key_id cinder_encryption_key_deletion_policy';
const metadefs =
  'namespace namespaces resource_type resource_types property properties object objects tag tags';

/** Reference, section 18. */
export const schemas = section('schemas', (says) => {
  for (const name of ['image', 'images', 'member', 'members', 'task', 'tasks'])
    says(`${name} is there for every caller`, async ({ demo, viewer, admin }) => {
      for (const client of [demo, viewer, admin])
        (await client.get(`/v2/schemas/${name}`)).is(200).has({ name });
    });

  for (const name of metadefs.split(' '))
    says(`metadefs/${name} is there`, async ({ demo }) => {
      documentIn(await demo.get(`/v2/schemas/metadefs/${name}`), 'properties');
    });

  says('an unknown one is 404', async ({ demo }) => {
    (await demo.get('/v2/schemas/nothing')).is(404);
  });

  says('image has every base field, none with is_base', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    const properties = documentIn(reply, 'properties');
    for (const name of base.split(' ')) {
      const field = properties[name];
      reply.that(`a field ${name} without is_base`, isDocument(field) && !('is_base' in field));
    }
  });

  says('image has the operator properties with is_base false', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    for (const name of operator.split(' '))
      reply.same(`${name}.is_base`, documentIn(reply, 'properties', name).is_base, false);
  });

  says('image marks what the server writes as readOnly', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    const properties = documentIn(reply, 'properties');
    const marked = Object.entries(properties)
      .filter(([, field]) => isDocument(field) && field.readOnly === true)
      .map(([name]) => name)
      .filter((name) => name !== 'stores');
    reply.same('the fields, sorted,', marked.sort(), readOnly.split(' ').sort());
  });

  says('image takes text for every other property', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    reply.has({ additionalProperties: { type: 'string' } });
  });

  says('image links to itself, its data and its schema', async ({ demo }) => {
    const reply = (await demo.get('/v2/schemas/image')).is(200);
    reply.has({
      links: [
        { rel: 'self', href: '{self}' },
        { rel: 'enclosure', href: '{file}' },
        { rel: 'describedby', href: '{schema}' },
      ],
    });
  });

  says('image lists formats beginning with null, and nine states', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    for (const name of ['disk_format', 'container_format']) {
      const { enum: values, type } = documentIn(reply, 'properties', name);
      reply.same(`the first ${name}`, Array.isArray(values) && values[0], null);
      reply.same(`the type of ${name}`, type, ['null', 'string']);
    }
    const { enum: statuses } = documentIn(reply, 'properties', 'status');
    reply.same(
      'the states, sorted,',
      Array.isArray(statuses) && statuses.sort(),
      'active deactivated deleted importing killed pending_delete queued saving uploading'.split(
        ' ',
      ),
    );
  });

  says('image bounds its texts and its id', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    for (const [name, maxLength] of [
      ['name', 255],
      ['owner', 255],
      ['checksum', 32],
      ['os_hash_algo', 64],
      ['os_hash_value', 128],
    ] as const)
      reply.same(`${name}.maxLength`, documentIn(reply, 'properties', name).maxLength, maxLength);
    reply.that('a pattern', typeof documentIn(reply, 'properties', 'id').pattern === 'string');
    reply.same('a tag', documentIn(reply, 'properties', 'tags', 'items'), {
      type: 'string',
      maxLength: 255,
    });
  });

  says('image describes a location with validation_data to write', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/image');
    const items = documentIn(reply, 'properties', 'locations', 'items');
    reply.same('required', Array.isArray(items.required) && items.required.sort(), [
      'metadata',
      'url',
    ]);
    const { writeOnly, required } = documentIn(
      reply,
      ...['properties', 'locations', 'items', 'properties', 'validation_data'],
    );
    reply.same('writeOnly', writeOnly, true);
    reply.same('its required', required, ['os_hash_algo', 'os_hash_value']);
  });

  for (const [name, pageLinks] of [
    ['images', true],
    ['tasks', false],
    ['members', false],
  ] as const)
    says(`${name} is an array of items${pageLinks ? ' with first and next' : ''}`, async (site) => {
      const reply = await site.demo.get(`/v2/schemas/${name}`);
      const properties = documentIn(reply, 'properties');
      reply.same('its type', documentIn(reply, 'properties', name).type, 'array');
      reply.that('items', isDocument(documentIn(reply, 'properties', name).items));
      reply.that('schema', 'schema' in properties);
      for (const link of ['first', 'next'])
        reply.same(`${link} is there`, link in properties, pageLinks);
    });

  says('images has the links of a page', async ({ demo }) => {
    const { links } = (await demo.get('/v2/schemas/images')).is(200).json();
    (await demo.get('/v2/schemas/images')).same('links', links, [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ]);
  });

  says('member has its fields', async ({ demo }) => {
    const reply = await demo.get('/v2/schemas/member');
    reply.same(
      'the fields, sorted,',
      Object.keys(documentIn(reply, 'properties')).sort(),
      'created_at image_id member_id schema status updated_at'.split(' '),
    );
    reply.same(
      'the states, sorted,',
      [documentIn(reply, 'properties', 'status').enum].flat().sort(),
      ['accepted', 'pending', 'rejected'],
    );
  });
});
