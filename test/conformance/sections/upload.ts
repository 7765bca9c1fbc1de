import { createHash, randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { someBytes } from '../site.ts';

/** Reference, section 8.1. */
export const upload = section('upload', (says) => {
  says('is 204 and empty, and active when it is answered', async ({ demo, image }) => {
    const id = await image();
    const reply = (await demo.upload(id, someBytes)).is(204);
    reply.same('the body', reply.text, '');
    (await demo.show(id)).has({ status: 'active', size: someBytes.length });
  });

  says('takes a chunked body', async ({ demo, image }) => {
    const id = await image();
    (await demo.upload(id, someBytes, { 'Transfer-Encoding': 'chunked' })).is(204);
    const data = (await demo.download(id)).is(200);
    data.that('the same bytes', data.bytes.equals(someBytes));
  });

  says('keeps megabytes as they are', async ({ demo, image }) => {
    const id = await image();
    const bytes = Buffer.alloc(3_000_001);
    for (let at = 0; at < bytes.length; at += 64)
      createHash('sha512').update(String(at)).digest().copy(bytes, at);
    (await demo.upload(id, bytes)).is(204);
    const data = (await demo.download(id)).is(200);
    data.that('the same bytes', data.bytes.equals(bytes), `${data.bytes.length} bytes`);
  });

  for (const type of ['text/plain', 'application/json', undefined])
    says(`Content-Type ${type} is 415`, async ({ demo, image }) => {
      const id = await image();
      const headers = type === undefined ? {} : { 'Content-Type': type };
      (await demo.send('PUT', `/v2/images/${id}/file`, { headers, body: someBytes })).is(415);
      (await demo.show(id)).has({ status: 'queued' });
    });

  says('an image that is not queued is 409', async ({ demo, active }) => {
    const id = await active();
    (await demo.upload(id, someBytes)).is(409);
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await demo.upload(id, someBytes)).is(409);
  });

  for (const missing of ['disk_format', 'container_format'])
    says(`without ${missing} is 400`, async ({ demo, image }) => {
      (await demo.upload(await image({ [missing]: null }), someBytes)).is(400);
    });

  says('to an unknown image is 404', async ({ demo }) => {
    (await demo.upload(randomUUID(), someBytes)).is(404);
  });

  says('an unknown store is 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.upload(id, someBytes, { 'X-Image-Meta-Store': 'nowhere' })).is(400);
    (await demo.show(id)).has({ status: 'queued' });
  });

  says('X-OpenStack-Image-Size may say the true size', async ({ demo, image }) => {
    const id = await image();
    const headers = { 'X-OpenStack-Image-Size': someBytes.length };
    (await demo.upload(id, someBytes, headers)).is(204);
    const chunked = await image();
    const both = { ...headers, 'Transfer-Encoding': 'chunked' };
    (await demo.upload(chunked, someBytes, both)).is(204);
  });

  for (const difference of [-1, 1])
    says(`X-OpenStack-Image-Size off by ${difference} is 400`, async ({ demo, image }) => {
      const id = await image();
      const headers = {
        'X-OpenStack-Image-Size': someBytes.length + difference,
        'Transfer-Encoding': 'chunked',
      };
      (await demo.upload(id, someBytes, headers)).is(400);
      (await demo.show(id)).has({ status: 'queued', size: null });
      (await demo.upload(id, someBytes)).is(204);
    });

  says('X-OpenStack-Image-Size wins over Content-Length', async ({ demo, image }) => {
    const headers = { 'X-OpenStack-Image-Size': someBytes.length + 1 };
    (await demo.upload(await image(), someBytes, headers)).is(400);
  });

  says('X-OpenStack-Image-Size that is no number is 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.upload(id, someBytes, { 'X-OpenStack-Image-Size': 'big' })).is(400);
    (await demo.show(id)).has({ status: 'queued' });
  });

  says('an upload that the image was deleted under is 410', async (site) => {
    const { demo, eventually } = site;
    const id = await site.image();
    const bytes = Buffer.alloc(32 * 1024 * 1024, 'x');
    const uploading = demo.upload(id, bytes, { 'Transfer-Encoding': 'chunked' });
    await eventually(
      () => demo.show(id),
      (reply) => reply.that('an upload that began', reply.json().status !== 'queued'),
    );
    (await demo.delete(`/v2/images/${id}`)).is(204);
    // On a quick machine the upload may have ended before the deletion began.
    (await uploading).is(410, 204);
    (await demo.show(id)).is(404);
  });

  says('to a store that is named goes there', 'multiple stores', async ({ demo, image, offer }) => {
    for (const { id: store } of offer.stores.filter(({ isReadOnly }) => !isReadOnly)) {
      const id = await image();
      (await demo.upload(id, someBytes, { 'X-Image-Meta-Store': store })).is(204);
      (await demo.show(id)).has({ stores: store });
    }
  });
});
