import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

/** Reference, section 12. */
export const tags = section('tags', (says) => {
  says('PUT adds a tag, 204 and empty, once', async ({ demo, image }) => {
    const id = await image();
    for (const _ of [1, 2]) {
      const reply = (await demo.put(`/v2/images/${id}/tags/one`)).is(204);
      reply.same('the body', reply.text, '');
    }
    (await demo.show(id)).has({ tags: ['one'] });
  });

  says('DELETE removes a tag', async ({ demo, image }) => {
    const id = await image({ tags: ['one', 'two'] });
    (await demo.delete(`/v2/images/${id}/tags/one`)).is(204);
    (await demo.show(id)).has({ tags: ['two'] });
  });

  says('DELETE of an absent tag is 404', async ({ demo, image }) => {
    (await demo.delete(`/v2/images/${await image()}/tags/one`)).is(404);
  });

  for (const tag of ['with space', 'a:b', 'żółty', '100%', 'a+b', 'a?b#c'])
    says(`the tag ${tag} goes in and out by its encoded URL`, async ({ demo, image }) => {
      const id = await image();
      const path = `/v2/images/${id}/tags/${encodeURIComponent(tag)}`;
      (await demo.put(path)).is(204);
      (await demo.show(id)).has({ tags: [tag] });
      (await demo.delete(path)).is(204);
      (await demo.show(id)).has({ tags: [] });
    });

  says('case counts', async ({ demo, image }) => {
    const id = await image({ tags: ['One'] });
    (await demo.delete(`/v2/images/${id}/tags/one`)).is(404);
    (await demo.put(`/v2/images/${id}/tags/one`)).is(204);
    const { tags: shown } = (await demo.show(id)).is(200).json();
    (await demo.show(id)).same('tags, sorted,', Array.isArray(shown) && shown.sort(), [
      'One',
      'one',
    ]);
  });

  says('a tag may have 255 characters, not 256: 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.put(`/v2/images/${id}/tags/${'t'.repeat(255)}`)).is(204);
    (await demo.put(`/v2/images/${id}/tags/${'t'.repeat(256)}`)).is(400);
  });

  says('of an unknown image are 404', async ({ demo }) => {
    (await demo.put(`/v2/images/${randomUUID()}/tags/one`)).is(404);
    (await demo.delete(`/v2/images/${randomUUID()}/tags/one`)).is(404);
  });

  says('are set on active and deactivated images too', async ({ demo, active }) => {
    const id = await active();
    (await demo.put(`/v2/images/${id}/tags/one`)).is(204);
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await demo.delete(`/v2/images/${id}/tags/one`)).is(204);
    (await demo.show(id)).has({ tags: [] });
  });
});
