import { createHash, randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { add, remove, set } from '../client.ts';
import { isDocument } from '../reply.ts';
import { someBytes } from '../site.ts';

const url = 'http://127.0.0.1:9/nothing';
export const validation = (algorithm: string, text = 'x') => ({
  os_hash_algo: algorithm,
  os_hash_value: createHash(algorithm).update(text).digest('hex'),
});

const violations: Readonly<Record<string, unknown>> = {
  'no url': {},
  'a url that is a number': { url: 3 },
  'validation_data that is text': { url, validation_data: 'x' },
  'an algorithm without value': { url, validation_data: { os_hash_algo: 'sha512' } },
  'a value without algorithm': { url, validation_data: { os_hash_value: 'ab' } },
  'an unknown algorithm': { url, validation_data: { os_hash_algo: 'crc32', os_hash_value: 'ab' } },
  'a value that is not hex': {
    url,
    validation_data: { os_hash_algo: 'md5', os_hash_value: 'z'.repeat(32) },
  },
  'a value that is too short': {
    url,
    validation_data: { os_hash_algo: 'sha512', os_hash_value: 'abcd' },
  },
};

/** Reference, section 14. */
export const locations = section('locations', (says) => {
  for (const [what, body] of Object.entries(violations))
    says(`POST with ${what} is 400`, async ({ demo, image }) => {
      (await demo.post(`/v2/images/${await image()}/locations`, body)).is(400);
    });

  says('POST to an active image is 409', 'http store', async ({ demo, active }) => {
    (await demo.post(`/v2/images/${await active()}/locations`, { url })).is(409);
  });

  for (const scheme of ['file:///etc/passwd', 'rbd://a/b/c/d', 'cinder://fast/volume'])
    says(`POST of ${scheme} by who is no service is 403`, async ({ demo, image }) => {
      const id = await image();
      (await demo.post(`/v2/images/${id}/locations`, { url: scheme })).is(403);
      (await demo.show(id)).has({ status: 'queued' });
    });

  says('POST of http is 403 where no http store is', 'single store', async ({ demo, image }) => {
    (await demo.post(`/v2/images/${await image()}/locations`, { url })).is(403);
  });

  says('POST by a reader is 403, by a stranger 404', async ({ viewer, alt, image }) => {
    const id = await image();
    (await viewer.post(`/v2/images/${id}/locations`, { url })).is(403);
    (await alt.post(`/v2/images/${id}/locations`, { url })).is(404);
  });

  says(
    'POST makes the image active, the hash comes after',
    ['http store', 'source'],
    async (site) => {
      const id = await site.image();
      (await site.demo.post(`/v2/images/${id}/locations`, { url: site.source })).is(202);
      await site.eventually(
        () => site.demo.show(id),
        (reply) => {
          const { status, os_hash_value } = reply.json();
          reply.same('status', status, 'active');
          reply.that('a hash', /^[0-9a-f]{128}$/.test(String(os_hash_value)));
        },
      );
    },
  );

  says('POST with a wrong digest ends queued', ['http store', 'source'], async (site) => {
    const id = await site.image();
    const body = { url: site.source, validation_data: validation('sha512', 'something else') };
    (await site.demo.post(`/v2/images/${id}/locations`, body)).is(202);
    await site.eventually(
      () => site.demo.show(id),
      (reply) => reply.has({ status: 'queued', os_hash_value: null }),
    );
  });

  says('GET is not for a member or reader of the owner: 403', async (site) => {
    const id = await site.active();
    for (const client of [site.demo, site.viewer])
      (await client.get(`/v2/images/${id}/locations`)).is(403);
  });

  says('GET by a stranger is 404', async ({ alt, active }) => {
    (await alt.get(`/v2/images/${await active({ visibility: 'private' })}/locations`)).is(404);
  });

  says('GET by a service is a bare array', 'service role', async ({ service, image, active }) => {
    const visibility = 'community'; // a service without the owner's token sees no more than others
    const empty = await service.get(`/v2/images/${await image({ visibility })}/locations`);
    empty.is(200);
    empty.same('the document', JSON.parse(empty.text), []);
    const reply = await service.get(`/v2/images/${await active({ visibility })}/locations`);
    reply.is(200);
    const [location, ...rest] = JSON.parse(reply.text);
    reply.same('how many more', rest.length, 0);
    reply.same('its fields', Object.keys(location).sort(), ['metadata', 'url']);
  });

  says('of an unknown image are 404', async ({ demo, admin }) => {
    const path = `/v2/images/${randomUUID()}/locations`;
    (await demo.post(path, { url })).is(404);
    (await admin.get(path)).is(404);
  });

  says('a queued image shows an empty list', 'shown locations', async ({ demo, image }) => {
    (await demo.show(await image())).has({ locations: [] });
  });

  says('PATCH refuses an empty list: 403', 'shown locations', async ({ demo, active }) => {
    (await demo.patch(await active(), set('locations', []))).is(403);
  });

  says('PATCH refuses to remove the last: 403', 'shown locations', async ({ admin, active }) => {
    (await admin.patch(await active(), remove('locations/0'))).is(403);
  });

  for (const unsafe of ['file:///etc/passwd', 'filesystem:///x', 'swift+config://a/b', 'x://y'])
    says(`PATCH refuses ${unsafe}: 400`, 'shown locations', async ({ demo, image }) => {
      const value = { url: unsafe, metadata: {} };
      (await demo.patch(await image(), add('locations/-', value))).is(400);
    });

  says('PATCH refuses a location without metadata: 400', 'shown locations', async (site) => {
    (await site.demo.patch(await site.image(), add('locations/-', { url }))).is(400);
  });

  says('POST with the right digest ends active with it', ['http store', 'source'], async (site) => {
    const id = await site.image();
    const said = validation('sha256', someBytes.toString());
    const path = `/v2/images/${id}/locations`;
    (await site.demo.post(path, { url: site.source, validation_data: said })).is(202);
    await site.eventually(
      () => site.demo.show(id),
      (reply) => reply.has({ status: 'active', ...said }),
    );
    (await site.demo.download(id)).is(200);
    (await site.demo.post(path, { url: site.source })).is(409);
  });

  says('POST of a URL that is not there ends queued', ['http store', 'source'], async (site) => {
    const id = await site.image();
    const url = new URL('/no-such-thing', site.source).href;
    (await site.demo.post(`/v2/images/${id}/locations`, { url })).is(202);
    await site.eventually(
      () => site.demo.get(`/v2/images/${id}/tasks`),
      (reply) => {
        const { tasks } = reply.is(200).json();
        const [task] = Array.isArray(tasks) ? tasks.filter(isDocument) : [];
        reply.same('the task', [task?.type, task?.status], ['location_import', 'failure']);
      },
    );
    (await site.demo.show(id)).has({ status: 'queued', size: null });
  });

  says(
    'POST with a user, a number for a host or another port is 400',
    'http store',
    async (site) => {
      for (const bad of [
        'http://user:pw@example.org/',
        'http://2130706433/',
        'http://example.org:22/',
      ])
        (await site.demo.post(`/v2/images/${await site.image()}/locations`, { url: bad })).is(400);
    },
  );
});
