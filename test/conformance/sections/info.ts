import { section } from '../case.ts';
import { isDocument } from '../reply.ts';

const limits = 'image_count_total image_count_uploading image_size_total image_stage_total';

/** Reference, section 15, "/v2/info". */
export const info = section('info', (says) => {
  says('GET /v2/info/import lists the import methods', async ({ demo, viewer, offer }) => {
    for (const client of [demo, viewer]) {
      const reply = (await client.get('/v2/info/import')).is(200);
      reply.same('the document', reply.json(), {
        'import-methods': {
          description: 'Import methods available.',
          type: 'array',
          value: offer.importMethods,
        },
      });
    }
  });

  for (const path of ['/v2/info/stores', '/v2/info/stores/detail'])
    says(`GET ${path} is 404 on a single-store site`, 'single store', async ({ admin }) => {
      (await admin.get(path)).is(404);
    });

  says(
    'GET /v2/info/stores names stores, one of them the default',
    'multiple stores',
    async (site) => {
      const reply = (await site.demo.get('/v2/info/stores')).is(200);
      const { stores } = reply.json();
      const listed = Array.isArray(stores) ? stores.filter(isDocument) : [];
      reply.same(
        'how many are the default',
        listed.filter((one) => one.default === 'true').length,
        1,
      );
      for (const one of listed) {
        const known = ['id', 'description', 'default', 'read-only'];
        reply.that(
          'known keys',
          Object.keys(one).every((key) => known.includes(key)),
          one,
        );
        reply.that(
          'text alone',
          Object.values(one).every((value) => typeof value === 'string'),
          one,
        );
        reply.that('no reserved store', !String(one.id).startsWith('os_glance'), one.id);
      }
    },
  );

  says('GET /v2/info/stores/detail is for admin', 'multiple stores', async ({ admin, demo }) => {
    (await demo.get('/v2/info/stores/detail')).is(403);
    const reply = (await admin.get('/v2/info/stores/detail')).is(200);
    const { stores } = reply.json();
    for (const one of Array.isArray(stores) ? stores.filter(isDocument) : []) {
      reply.that('a type', typeof one.type === 'string', one);
      reply.that('a weight', Number.isInteger(one.weight), one);
      reply.that('properties', isDocument(one.properties), one);
    }
  });

  says('GET /v2/info/usage is empty without unified limits', 'no unified limits', async (site) => {
    for (const client of [site.demo, site.viewer]) {
      const reply = (await client.get('/v2/info/usage')).is(200);
      reply.same('the document', reply.json(), { usage: {} });
    }
  });

  says('GET /v2/info/usage tells usage and limit of each', 'unified limits', async ({ demo }) => {
    const reply = (await demo.get('/v2/info/usage')).is(200);
    const { usage } = reply.json();
    reply.same('the limits', Object.keys(usage ?? {}).sort(), limits.split(' '));
    for (const one of Object.values(usage ?? {})) {
      reply.same('the fields', Object.keys(one).sort(), ['limit', 'usage']);
      reply.that('whole numbers', Object.values(one).every(Number.isInteger), one);
    }
  });
});
