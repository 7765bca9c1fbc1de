import { section } from '../case.ts';
import { add, remove, set } from '../client.ts';
import { someBytes } from '../site.ts';

/** Reference, section 4. */
export const states = section('states', (says) => {
  says('create makes a queued image', async ({ demo }) => {
    (await demo.post('/v2/images', {})).is(201).has({ status: 'queued' });
  });

  says('a good upload makes it active', async ({ demo, image }) => {
    const id = await image();
    (await demo.upload(id, someBytes)).is(204);
    (await demo.show(id)).has({ status: 'active' });
  });

  says('a bad upload puts it back to queued without size', async ({ demo, image }) => {
    const id = await image();
    (await demo.upload(id, someBytes, { 'X-OpenStack-Image-Size': 7 })).is(400);
    (await demo.show(id)).has({ status: 'queued', size: null, virtual_size: null, checksum: null });
    (await demo.upload(id, someBytes)).is(204);
  });

  says('data needs both formats', async ({ demo, image }) => {
    for (const field of ['disk_format', 'container_format']) {
      const id = await image({ [field]: null });
      (await demo.upload(id, someBytes)).is(400);
      (await demo.show(id)).has({ status: 'queued' });
    }
  });

  says('bytes and hashes of an active image never change', async ({ demo, active }) => {
    const id = await active();
    const before = (await demo.show(id)).json();
    (await demo.upload(id, Buffer.from('other'))).is(409);
    (await demo.patch(id, set('checksum', null))).is(403);
    (await demo.patch(id, set('os_hash_value', '0'))).is(403);
    (await demo.patch(id, set('status', 'queued'))).is(403);
    const reply = await demo.show(id);
    reply.same('the image', reply.json(), before);
  });

  says(
    'deactivate and reactivate move between active and deactivated',
    async ({ demo, active }) => {
      const id = await active();
      (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
      (await demo.show(id)).has({ status: 'deactivated' });
      (await demo.post(`/v2/images/${id}/actions/reactivate`)).is(204);
      (await demo.show(id)).has({ status: 'active' });
    },
  );

  says('an image can be deleted from queued, active and deactivated', async ({ demo, ...site }) => {
    const deactivated = await site.active();
    (await demo.post(`/v2/images/${deactivated}/actions/deactivate`)).is(204);
    for (const id of [await site.image(), await site.active(), deactivated]) {
      (await demo.delete(`/v2/images/${id}`)).is(204);
      (await demo.show(id)).is(404);
    }
  });

  says('a deleted image is gone for everything', async ({ demo, active }) => {
    const id = await active();
    (await demo.delete(`/v2/images/${id}`)).is(204);
    for (const reply of [
      await demo.show(id),
      await demo.download(id),
      await demo.upload(id, someBytes),
      await demo.patch(id, set('name', 'x')),
      await demo.put(`/v2/images/${id}/tags/x`),
      await demo.post(`/v2/images/${id}/actions/deactivate`),
      await demo.delete(`/v2/images/${id}`),
    ])
      reply.is(404);
  });

  says('a protected image cannot be deleted in any state', async ({ demo, image }) => {
    const id = await image({ protected: true });
    const refused = async () => (await demo.delete(`/v2/images/${id}`)).is(403);
    await refused();
    (await demo.upload(id, someBytes)).is(204);
    await refused();
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    await refused();
    (await demo.patch(id, set('protected', false))).is(200);
    (await demo.delete(`/v2/images/${id}`)).is(204);
  });

  says('protected, os_hidden, name and min_* change in any state', async ({ demo, image }) => {
    const id = await image();
    const changes = { protected: false, os_hidden: true, name: 'new', min_disk: 1, min_ram: 2 };
    const changed = async () => {
      const operations = Object.entries(changes).map(([name, value]) => set(name, value));
      (await demo.patch(id, ...operations)).is(200).has(changes);
    };
    await changed();
    (await demo.upload(id, someBytes)).is(204);
    await changed();
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    await changed();
  });

  says('properties and tags change while deactivated', async ({ demo, active }) => {
    const id = await active({ colour: 'red' });
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await demo.patch(id, set('colour', 'blue'), add('shape', 'round'))).is(200);
    (await demo.patch(id, remove('shape'))).is(200);
    (await demo.put(`/v2/images/${id}/tags/t`)).is(204);
    (await demo.show(id)).has({ colour: 'blue', tags: ['t'], status: 'deactivated' });
  });

  says('of two uploads at once one wins and its bytes stay', async ({ demo, image }) => {
    const id = await image();
    const contents = ['first ', 'second'].map((text) => Buffer.from(text.repeat(100_000)));
    const replies = await Promise.all(contents.map((bytes) => demo.upload(id, bytes)));
    const winners = replies.filter(({ status }) => status === 204);
    replies[0]?.same('how many won', winners.length, 1);
    for (const reply of replies) reply.is(204, 409, 410);
    const won = contents[replies.findIndex(({ status }) => status === 204)];
    const data = (await demo.download(id)).is(200);
    data.that('the bytes of the winner', won !== undefined && data.bytes.equals(won));
  });
});
