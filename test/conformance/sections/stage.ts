import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { someBytes } from '../site.ts';

/** Reference, section 8.2. */
export const stage = section('stage', (says) => {
  says('is 404 where glance-direct is not enabled', 'no glance-direct', async ({ demo, image }) => {
    (await demo.stage(await image(), someBytes)).is(404);
  });

  says(
    'is 204, leaves the image uploading with size and without hashes',
    'glance-direct',
    async ({ demo, image }) => {
      const id = await image();
      const reply = (await demo.stage(id, someBytes)).is(204);
      reply.same('the body', reply.text, '');
      (await demo.show(id)).has({
        status: 'uploading',
        size: someBytes.length,
        checksum: null,
        os_hash_value: null,
      });
    },
  );

  says('takes a chunked body', 'glance-direct', async ({ demo, image }) => {
    const id = await image();
    (await demo.stage(id, someBytes, { 'Transfer-Encoding': 'chunked' })).is(204);
    (await demo.show(id)).has({ status: 'uploading', size: someBytes.length });
  });

  says('needs no formats', 'glance-direct', async ({ demo, image }) => {
    const id = await image({ disk_format: null, container_format: null });
    (await demo.stage(id, someBytes)).is(204);
  });

  says('looks at no format', 'glance-direct', async ({ demo, image }) => {
    (await demo.stage(await image({ disk_format: 'qcow2' }), someBytes)).is(204);
  });

  says('of staged data is 409', 'glance-direct', async ({ demo, image }) => {
    const id = await image();
    (await demo.stage(id, someBytes)).is(204);
    (await demo.stage(id, someBytes)).is(409);
    (await demo.upload(id, someBytes)).is(409);
  });

  says('of an active image is 409', 'glance-direct', async ({ demo, active }) => {
    (await demo.stage(await active(), someBytes)).is(409);
  });

  says('with another Content-Type is 415', 'glance-direct', async ({ demo, image }) => {
    const path = `/v2/images/${await image()}/stage`;
    for (const headers of [{ 'Content-Type': 'text/plain' }, {}])
      (await demo.send('PUT', path, { headers, body: someBytes })).is(415);
  });

  says('with a size that is not true is 400 and queued again', 'glance-direct', async (site) => {
    const id = await site.image();
    const headers = { 'X-OpenStack-Image-Size': 7, 'Transfer-Encoding': 'chunked' };
    (await site.demo.stage(id, someBytes, headers)).is(400);
    (await site.demo.show(id)).has({ status: 'queued', size: null });
  });

  says('to what the caller may not change is 403 or 404', 'glance-direct', async (site) => {
    (await site.demo.stage(randomUUID(), someBytes)).is(404);
    (await site.alt.stage(await site.image(), someBytes)).is(404);
    (await site.viewer.stage(await site.image(), someBytes)).is(403);
    (await site.alt.stage(await site.image({ visibility: 'community' }), someBytes)).is(403);
  });

  says('can be deleted before the import', 'glance-direct', async ({ demo, image }) => {
    const id = await image();
    (await demo.stage(id, someBytes)).is(204);
    (await demo.delete(`/v2/images/${id}`)).is(204);
    (await demo.show(id)).is(404);
  });

  says('has no data to download yet', 'glance-direct', async ({ demo, image }) => {
    const id = await image();
    (await demo.stage(id, someBytes)).is(204);
    (await demo.download(id)).is(204);
  });
});
