import { section } from '../case.ts';
import { add, remove, set } from '../client.ts';

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `n${from + index}`);
const properties = (count: number) =>
  Object.fromEntries(numbered(count).map((name) => [name, 'x']));

/** Reference, section 16, the defaults. */
export const limits = section('limits', (says) => {
  says('an image may have 128 properties, not 129: 413', async ({ demo }) => {
    (await demo.post('/v2/images', properties(128))).is(201);
    (await demo.post('/v2/images', properties(129))).is(413);
  });

  says('PATCH may not exceed 128 properties: 413', async ({ demo, image }) => {
    const id = await image(properties(128));
    (await demo.patch(id, add('one_more', 'x'))).is(413);
    (await demo.patch(id, set('n0', 'y'))).is(200);
    (await demo.patch(id, remove('n0'), add('one_more', 'x'))).is(200);
    (await demo.patch(id, set('name', 'changed'))).is(200);
  });

  says('an image may have 128 tags, not 129: 413', async ({ demo, image }) => {
    (await demo.post('/v2/images', { tags: numbered(128) })).is(201);
    (await demo.post('/v2/images', { tags: numbered(129) })).is(413);
    (await demo.patch(await image(), set('tags', numbered(129)))).is(413);
  });

  says('PUT may not exceed 128 tags: 413', async ({ demo, image }) => {
    const id = await image({ tags: numbered(128) });
    (await demo.put(`/v2/images/${id}/tags/one_more`)).is(413);
    (await demo.put(`/v2/images/${id}/tags/n0`)).is(204);
  });

  says('an image may have 128 members, not 129: 413', async ({ demo, image }) => {
    const path = `/v2/images/${await image()}/members`;
    for (const member of numbered(128)) (await demo.post(path, { member })).is(200);
    (await demo.post(path, { member: 'one_more' })).is(413);
  });
});
