import { section } from '../case.ts';
import { namesIn, property, timestamp, withNamespace } from '../namespace.ts';
import type { Document } from '../reply.ts';

const named = { name: 'size', ...property };
const object = {
  name: 'an object',
  description: 'of a kind',
  required: ['size'],
  properties: { size: property },
};

/** Reference, sections 19.2 to 19.5. */
export const metadefDefinitions = section('metadef definitions', (says) => {
  says(
    'POST of an object is 201, GET shows it',
    withNamespace({}, async ({ admin }, { path }) => {
      for (const reply of [
        (await admin.post(`${path}/objects`, object)).is(201),
        (await admin.get(`${path}/objects/an%20object`)).is(200),
      ]) {
        const { created_at, updated_at, self, ...rest } = reply.json();
        for (const time of [created_at, updated_at])
          reply.that('a timestamp', timestamp.test(String(time)));
        reply.that('self', String(self).startsWith(`${path}/objects/an`));
        reply.same('the rest', rest, { ...object, schema: '/v2/schemas/metadefs/object' });
      }
    }),
  );

  says(
    'GET of objects lists them as they came, without a leading slash in schema',
    withNamespace({ objects: [object, { name: 'a later one' }] }, async ({ admin }, { path }) => {
      const reply = await admin.get(`${path}/objects`);
      reply.same('the objects', namesIn(reply, 'objects'), [object.name, 'a later one']);
      reply.that(
        'its schema',
        /^\/?v2\/schemas\/metadefs\/objects$/.test(String(reply.json().schema)),
      );
    }),
  );

  says(
    'PUT of an object replaces it whole, and may rename it',
    withNamespace({ objects: [object, { name: 'other' }] }, async ({ admin }, { path }) => {
      const reply = (await admin.put(`${path}/objects/an%20object`, { name: 'renamed' })).is(200);
      reply.has({ name: 'renamed' });
      reply.that('no description', !('description' in reply.json()));
      (await admin.get(`${path}/objects/an%20object`)).is(404);
      (await admin.put(`${path}/objects/renamed`, { name: 'other' })).is(409);
    }),
  );

  says(
    'DELETE of an object is 204, then 404',
    withNamespace({ objects: [object] }, async ({ admin }, { path }) => {
      (await admin.delete(`${path}/objects/an%20object`)).is(204);
      (await admin.delete(`${path}/objects/an%20object`)).is(404);
      (await admin.put(`${path}/objects/an%20object`, object)).is(404);
    }),
  );

  says(
    'POST of a property is 201, GET shows it alone and among the others',
    withNamespace({}, async ({ admin }, { path }) => {
      const full = {
        ...named,
        description: 'how large',
        operators: ['<or>'],
        default: 'small',
        minLength: 1,
        maxLength: 10,
        pattern: '^[a-z]+$',
        enum: ['small', 'large'],
        readonly: false,
      };
      const created = (await admin.post(`${path}/properties`, full)).is(201);
      created.same('the property', created.json(), full);
      const shown = (await admin.get(`${path}/properties/size`)).is(200);
      shown.same('the property', shown.json(), full);
      const reply = (await admin.get(`${path}/properties`)).is(200);
      const listed = (reply.json().properties as Document).size as Document;
      reply.same('its type', listed.type, 'string');
      reply.same('its default', listed.default, 'small');
    }),
  );

  says(
    'PUT of a property is 200, and may rename it',
    withNamespace({ properties: { size: property } }, async ({ admin }, { path }) => {
      const width = { name: 'width', title: 'Width', type: 'integer', minimum: 1 };
      const reply = (await admin.put(`${path}/properties/size`, width)).is(200);
      reply.same('the property', reply.json(), width);
      (await admin.get(`${path}/properties/size`)).is(404);
      (await admin.get(`${path}/properties/width`)).is(200).has({ type: 'integer' });
    }),
  );

  says(
    'DELETE of a property is 204, then 404',
    withNamespace({ properties: { size: property } }, async ({ admin }, { path }) => {
      (await admin.delete(`${path}/properties/size`)).is(204);
      (await admin.delete(`${path}/properties/size`)).is(404);
    }),
  );

  says(
    'GET of a property with resource_type takes the prefix off its name',
    withNamespace(
      {
        properties: { size: property },
        resource_type_associations: [{ name: 'T', prefix: 'hw_' }],
      },
      async ({ admin }, { path }) => {
        (await admin.get(`${path}/properties/hw_size?resource_type=T`))
          .is(200)
          .has({ type: 'string' });
        (await admin.get(`${path}/properties/size?resource_type=T`)).is(404);
        (await admin.get(`${path}/properties/hw_size?resource_type=U`)).is(404);
      },
    ),
  );

  for (const [what, body] of [
    ['no name', property],
    ['no type', { name: 'x', title: 'x' }],
    ['an unknown type', { ...named, type: 'text' }],
    ['a name of 81 characters', { ...named, name: 'x'.repeat(81) }],
    ['an unknown field', { ...named, colour: 'red' }],
    ['maxLength below zero', { ...named, maxLength: -1 }],
  ] as const)
    says(
      `POST of a property with ${what} is 400`,
      withNamespace({}, async ({ admin }, { path }) => {
        (await admin.post(`${path}/properties`, body)).is(400);
      }),
    );

  says(
    'POST of an object with a name of 81 characters is 400',
    withNamespace({}, async ({ admin }, { path }) => {
      (await admin.post(`${path}/objects`, { name: 'x'.repeat(81) })).is(400);
    }),
  );

  for (const [part, body] of [
    ['objects', object],
    ['properties', named],
    ['resource_types', { name: 'T' }],
  ] as const) {
    says(
      `POST to ${part} of what is there is 409`,
      withNamespace({}, async ({ admin }, { path }) => {
        (await admin.post(`${path}/${part}`, body)).is(201);
        (await admin.post(`${path}/${part}`, body)).is(409);
      }),
    );
    says(
      `POST to ${part} with created_at is 403`,
      withNamespace({}, async ({ admin }, { path }) => {
        (await admin.post(`${path}/${part}`, { ...body, created_at: 'x' })).is(403);
      }),
    );
  }

  says(
    'POST of one tag is 201 without a body, 409 when it is there',
    withNamespace({}, async ({ admin }, { path }) => {
      (await admin.post(`${path}/tags/one`)).is(201).has({ name: 'one' });
      (await admin.post(`${path}/tags/one`)).is(409);
      (await admin.get(`${path}/tags/one`)).is(200).has({ name: 'one' });
      (await admin.post(`${path}/tags/${'x'.repeat(81)}`)).is(400);
    }),
  );

  says(
    'PUT of a tag renames it',
    withNamespace({ tags: [{ name: 'one' }, { name: 'two' }] }, async ({ admin }, { path }) => {
      (await admin.put(`${path}/tags/one`, { name: 'three' })).is(200).has({ name: 'three' });
      (await admin.get(`${path}/tags/one`)).is(404);
      (await admin.put(`${path}/tags/two`, { name: 'three' })).is(409);
      (await admin.put(`${path}/tags/two`, {})).is(400);
    }),
  );

  says(
    'DELETE of a tag is 204, then 404',
    withNamespace({ tags: [{ name: 'one' }] }, async ({ admin }, { path }) => {
      (await admin.delete(`${path}/tags/one`)).is(204);
      (await admin.delete(`${path}/tags/one`)).is(404);
    }),
  );

  says(
    'POST of tags is 201 and replaces all',
    withNamespace({ tags: [{ name: 'old' }] }, async ({ admin }, { path }) => {
      const tags = [{ name: 'one' }, { name: 'two' }];
      const created = (await admin.post(`${path}/tags`, { tags })).is(201);
      created.same('the tags', created.json(), { tags });
      const reply = await admin.get(`${path}/tags`);
      reply.same('the tags, sorted,', [...namesIn(reply, 'tags')].sort(), ['one', 'two']);
    }),
  );

  says(
    'POST of tags with X-Openstack-Append keeps the others',
    withNamespace({ tags: [{ name: 'old' }] }, async ({ admin }, { path }) => {
      const append = (tags: readonly Document[]) =>
        admin.send('POST', `${path}/tags`, {
          headers: { 'X-Openstack-Append': 'True' },
          body: JSON.stringify({ tags }),
        });
      (await append([{ name: 'new' }])).is(201);
      (await append([{ name: 'old' }])).is(409);
      const reply = await admin.get(`${path}/tags`);
      reply.same('the tags, sorted,', [...namesIn(reply, 'tags')].sort(), ['new', 'old']);
    }),
  );

  says(
    'POST of a tag twice at once is 409',
    withNamespace({}, async ({ admin }, { path }) => {
      (await admin.post(`${path}/tags`, { tags: [{ name: 'one' }, { name: 'one' }] })).is(409);
    }),
  );

  says(
    'GET of tags comes in pages',
    withNamespace(
      { tags: [{ name: 'b' }, { name: 'c' }, { name: 'a' }] },
      async ({ admin }, { path }) => {
        const sorted = await admin.get(`${path}/tags?sort_key=name&sort_dir=asc&limit=2`);
        sorted.same('a page', namesIn(sorted, 'tags'), ['a', 'b']);
        const next = await admin.get(`${path}/tags?sort_key=name&sort_dir=asc&limit=2&marker=b`);
        next.same('the next', namesIn(next, 'tags'), ['c']);
        (await admin.get(`${path}/tags?marker=nothing`)).is(404);
        (await admin.get(`${path}/tags?limit=ten`)).is(400);
      },
    ),
  );

  says('POST of a resource type is 201, makes the type, and GET lists it', async (site) => {
    const type = site.unique();
    await withNamespace({}, async ({ admin, demo }, { path }) => {
      const body = { name: type, prefix: 'x:', properties_target: 'image' };
      const reply = (await admin.post(`${path}/resource_types`, body)).is(201);
      reply.has(body);
      const listed = await admin.get(`${path}/resource_types`);
      listed.same('the associations', namesIn(listed, 'resource_type_associations'), [type]);
      const all = await demo.get('/v2/metadefs/resource_types');
      all.that('the type', namesIn(all, 'resource_types').includes(type));
    })(site);
  });

  says(
    'DELETE of an association is 204, then 404',
    withNamespace({ resource_type_associations: [{ name: 'T' }] }, async ({ admin }, { path }) => {
      (await admin.delete(`${path}/resource_types/T`)).is(204);
      (await admin.delete(`${path}/resource_types/T`)).is(404);
      (await admin.delete(`${path}/resource_types/never`)).is(404);
    }),
  );

  for (const [what, body] of [
    ['no name', { prefix: 'x' }],
    ['a name of 81 characters', { name: 'x'.repeat(81) }],
    ['a prefix of 81 characters', { name: 'x', prefix: 'x'.repeat(81) }],
    ['a properties_target of 81 characters', { name: 'x', properties_target: 'x'.repeat(81) }],
  ] as const)
    says(
      `POST of a resource type with ${what} is 400`,
      withNamespace({}, async ({ admin }, { path }) => {
        (await admin.post(`${path}/resource_types`, body)).is(400);
      }),
    );
});
