import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

/** Reference, section 6.5. */
export const deletion = section('deletion', (says) => {
  says('DELETE is 204 and empty', async ({ demo, active }) => {
    const reply = (await demo.delete(`/v2/images/${await active()}`)).is(204);
    reply.same('the body', reply.text, '');
  });

  says('of a deleted, unknown or impossible image is 404', async ({ demo, image }) => {
    const id = await image();
    (await demo.delete(`/v2/images/${id}`)).is(204);
    for (const gone of [id, randomUUID(), 'ubuntu'])
      (await demo.delete(`/v2/images/${gone}`)).is(404);
    (await demo.delete('/v2/images/')).is(404);
  });

  says('of a protected image is 403', async ({ demo, admin, image }) => {
    const id = await image({ protected: true });
    for (const client of [demo, admin]) (await client.delete(`/v2/images/${id}`)).is(403);
    (await demo.show(id)).is(200);
  });

  says('with a body is 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.send('DELETE', `/v2/images/${id}`, { body: '{}' })).is(400);
    (await demo.show(id)).is(200);
  });

  says('removes members and tags with it', async ({ demo, alt, image, projects }) => {
    const id = await image({ tags: ['t'] });
    (await demo.post(`/v2/images/${id}/members`, { member: projects.alt })).is(200);
    (await demo.delete(`/v2/images/${id}`)).is(204);
    for (const client of [demo, alt]) {
      (await client.get(`/v2/images/${id}/members`)).is(404);
      (await client.delete(`/v2/images/${id}/tags/t`)).is(404);
    }
  });
});
