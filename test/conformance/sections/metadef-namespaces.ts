import { section } from '../case.ts';
import {
  namesIn,
  namespaces,
  property,
  removeNamespace,
  timestamp,
  withNamespace,
} from '../namespace.ts';
import type { Document } from '../reply.ts';

const parts: Document = {
  resource_type_associations: [{ name: 'OS::Glance::Image', prefix: 'hw_' }],
  properties: { size: property },
  objects: [{ name: 'an object', required: ['size'], properties: { size: property } }],
  tags: [{ name: 'one' }, { name: 'two' }],
};

/** Reference, section 19.1. */
export const metadefNamespaces = section('metadef namespaces', (says) => {
  says('POST is 201 with Location, and the fields that a new one has', async (site) => {
    const namespace = site.unique();
    try {
      const reply = (await site.admin.post(namespaces, { namespace })).is(201);
      reply.header('Location', new RegExp(`^https?://.*${namespaces}/${namespace}$`));
      const { created_at, updated_at, ...rest } = reply.json();
      for (const time of [created_at, updated_at])
        reply.that('a timestamp', timestamp.test(String(time)));
      reply.same('the rest', rest, {
        namespace,
        visibility: 'private',
        protected: false,
        owner: site.projects.admin,
        self: `${namespaces}/${namespace}`,
        schema: '/v2/schemas/metadefs/namespace',
      });
    } finally {
      await removeNamespace(site.admin, namespace);
    }
  });

  says(
    'POST may nest parts, and GET shows them',
    withNamespace(parts, async ({ demo, admin }, own) => {
      const reply = (await admin.get(own.path)).is(200);
      reply.same('tags, sorted,', [...namesIn(reply, 'tags')].sort(), ['one', 'two']);
      reply.same('properties', reply.json().properties, parts.properties);
      reply.same('objects', namesIn(reply, 'objects'), ['an object']);
      const [type] = reply.json().resource_type_associations as readonly Document[];
      reply.same('the prefix', type?.prefix, 'hw_');
      (await demo.get(own.path)).is(404);
    }),
  );

  says('POST is all or nothing', async ({ admin, unique }) => {
    const namespace = unique();
    const twice = [{ name: 'one' }, { name: 'one' }];
    (await admin.post(namespaces, { namespace, tags: twice })).is(409);
    (await admin.get(`${namespaces}/${namespace}`)).is(404);
  });

  says(
    'POST of a name that is taken is 409',
    withNamespace({}, async ({ admin }, { name }) => {
      (await admin.post(namespaces, { namespace: name })).is(409);
    }),
  );

  for (const [what, body] of [
    ['no namespace', {}],
    ['a name of 81 characters', { namespace: 'x'.repeat(81) }],
    ['a display name of 81 characters', { namespace: 'x', display_name: 'x'.repeat(81) }],
    ['a description of 501 characters', { namespace: 'x', description: 'x'.repeat(501) }],
    ['an owner of 256 characters', { namespace: 'x', owner: 'x'.repeat(256) }],
    ['another visibility', { namespace: 'x', visibility: 'shared' }],
    ['protected that is text', { namespace: 'x', protected: 'true' }],
    ['an unknown field', { namespace: 'x', colour: 'red' }],
    ['an object without name', { namespace: 'x', objects: [{ description: 'x' }] }],
    ['a property without type', { namespace: 'x', properties: { y: { title: 'y' } } }],
  ] as const)
    says(`POST with ${what} is 400`, async ({ admin }) => {
      (await admin.post(namespaces, body)).is(400);
    });

  for (const name of ['created_at', 'updated_at', 'self', 'schema'])
    says(`POST with ${name} is 403`, async ({ admin }) => {
      (await admin.post(namespaces, { namespace: 'x', [name]: 'y' })).is(403);
    });

  says(
    'writes are for admin: 403',
    withNamespace({ ...parts, visibility: 'public' }, async ({ demo }, { name, path }) => {
      (await demo.post(namespaces, { namespace: `${name} of demo` })).is(403);
      (await demo.put(path, { namespace: name })).is(403);
      for (const part of ['', '/objects', '/properties', '/tags', '/tags/one', '/properties/size'])
        (await demo.delete(`${path}${part}`)).is(403);
    }),
  );

  says('a private one is there for its owner and admin alone', async (site) => {
    const document = { owner: site.projects.demo };
    await withNamespace(document, async ({ demo, viewer, alt, admin }, { path }) => {
      for (const client of [demo, viewer, admin]) (await client.get(path)).is(200);
      for (const part of ['', '/objects', '/properties', '/tags', '/resource_types'])
        (await alt.get(`${path}${part}`)).is(404);
    })(site);
  });

  says(
    'a public one is there for every reader',
    withNamespace({ visibility: 'public' }, async ({ alt, viewer }, { path }) => {
      for (const client of [alt, viewer])
        (await client.get(path)).is(200).has({ visibility: 'public' });
    }),
  );

  says('an unknown one is 404', async ({ admin, unique }) => {
    const path = `${namespaces}/${unique()}`;
    for (const part of ['', '/objects', '/properties', '/tags', '/resource_types'])
      (await admin.get(`${path}${part}`)).is(404);
    (await admin.put(path, { namespace: 'x' })).is(404);
    for (const part of ['', '/objects', '/properties', '/tags'])
      (await admin.delete(`${path}${part}`)).is(404);
  });

  says(
    'PUT replaces the own fields whole',
    withNamespace(
      { ...parts, display_name: 'Old', description: 'old', visibility: 'public' },
      async ({ admin }, { name, path }) => {
        const reply = (await admin.put(path, { namespace: name, display_name: 'New' })).is(200);
        reply.has({ display_name: 'New', visibility: 'private', protected: false });
        reply.that('no description', !('description' in reply.json()));
        const shown = await admin.get(path);
        shown.same('properties', shown.is(200).json().properties, parts.properties);
      },
    ),
  );

  says(
    'PUT may rename',
    withNamespace(parts, async ({ admin, unique }, { name, path }) => {
      const other = unique();
      try {
        (await admin.put(path, { namespace: other }))
          .is(200)
          .has({ namespace: other, self: `${namespaces}/${other}` });
        (await admin.get(path)).is(404);
        const shown = await admin.get(`${namespaces}/${other}`);
        shown.same('properties', shown.is(200).json().properties, parts.properties);
        (await admin.post(namespaces, { namespace: name })).is(201);
        (await admin.put(path, { namespace: other })).is(409);
      } finally {
        await removeNamespace(admin, other);
      }
    }),
  );

  says(
    'PUT without namespace is 400, with schema 403',
    withNamespace({}, async ({ admin }, { name, path }) => {
      (await admin.put(path, { display_name: 'x' })).is(400);
      (await admin.put(path, { namespace: name, schema: 'x' })).is(403);
    }),
  );

  says(
    'DELETE is 204 and takes all that is in it',
    withNamespace(parts, async ({ admin }, { path }) => {
      (await admin.delete(path)).is(204);
      for (const part of ['', '/objects/an%20object', '/properties/size', '/tags/one'])
        (await admin.get(`${path}${part}`)).is(404);
    }),
  );

  says(
    'a protected one, and all that is in it, cannot be deleted: 403',
    withNamespace({ ...parts, protected: true }, async ({ admin }, { path }) => {
      for (const part of [
        '',
        '/objects',
        '/properties',
        '/tags',
        '/objects/an%20object',
        '/properties/size',
        '/tags/one',
        '/resource_types/OS::Glance::Image',
      ])
        (await admin.delete(`${path}${part}`)).is(403);
    }),
  );

  for (const part of ['objects', 'properties', 'tags'])
    says(
      `DELETE of ${part} is 204 and empties them`,
      withNamespace(parts, async ({ admin }, { path }) => {
        (await admin.delete(`${path}/${part}`)).is(204);
        const document = (await admin.get(path)).is(200).json();
        (await admin.get(path)).that(`no ${part}`, !(part in document));
      }),
    );

  says(
    'GET with resource_type prefixes the names of properties',
    withNamespace(parts, async ({ admin }, { path }) => {
      const reply = await admin.get(`${path}?resource_type=OS::Glance::Image`);
      reply.same('properties', reply.is(200).json().properties, { hw_size: property });
      const [object] = reply.json().objects as readonly Document[];
      reply.same('those of the object', object?.properties, { hw_size: property });
      reply.same('its required', object?.required, ['hw_size']);
      const other = await admin.get(`${path}?resource_type=OS::Nova::Flavor`);
      other.same('others', other.is(200).json().properties, parts.properties);
    }),
  );

  says(
    'GET lists with first and schema, and what each is for',
    withNamespace(parts, async ({ admin }, { name }) => {
      const reply = (await admin.get(`${namespaces}?limit=1000`)).is(200);
      reply.has({ first: `${namespaces}?limit=1000`, schema: '/v2/schemas/metadefs/namespaces' });
      const listed = (reply.json().namespaces as readonly Document[]).find(
        ({ namespace }) => namespace === name,
      );
      reply.that('the namespace', listed !== undefined);
      reply.same('properties', listed?.properties, undefined);
      reply.same('one association', [listed?.resource_type_associations].flat().length, 1);
    }),
  );

  says(
    'GET lists the newest first, page by page, by resource type and visibility',
    async (site) => {
      const type = site.unique();
      const { admin, demo } = site;
      const own = { resource_type_associations: [{ name: type }] };
      await withNamespace({ ...own, visibility: 'public', display_name: 'B' }, async (_, first) => {
        await withNamespace({ ...own, display_name: 'A' }, async (__, second) => {
          const list = (query: string) =>
            admin.get(`${namespaces}?resource_types=none,${type}${query}`);
          const sorted = await list('&sort_key=display_name&sort_dir=asc');
          sorted.same('by name', namesIn(sorted, 'namespaces', 'namespace'), [
            second.name,
            first.name,
          ]);
          const page = await list('&limit=1&sort_key=display_name&sort_dir=asc');
          page.same('a page', namesIn(page, 'namespaces', 'namespace'), [second.name]);
          const next = await admin.get(String(page.json().next));
          next.same('the next', namesIn(next, 'namespaces', 'namespace'), [first.name]);
          const publicly = await list('&visibility=public');
          publicly.same('the public', namesIn(publicly, 'namespaces', 'namespace'), [first.name]);
          publicly.that('no next', !('next' in publicly.json()));
          const seen = await demo.get(`${namespaces}?resource_types=${type}`);
          seen.same('what demo sees', namesIn(seen, 'namespaces', 'namespace'), [first.name]);
        })(site);
      })(site);
    },
  );

  for (const query of ['visibility=shared', 'sort_dir=up', 'limit=-1'])
    says(`GET with ${query} is 400`, async ({ demo }) => {
      (await demo.get(`${namespaces}?${query}`)).is(400);
    });

  says('GET with an unknown marker is 404', async ({ admin, unique }) => {
    (await admin.get(`${namespaces}?marker=${unique()}`)).is(404);
  });

  says('GET with an empty marker is 200, from the beginning', async ({ demo }) => {
    (await demo.get(`${namespaces}?marker=`)).is(200);
  });
});
