import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

/** Reference, section 6.2. */
export const show = section('show', (says) => {
  says('GET of an image is 200 with the image', async ({ demo, image }) => {
    const id = await image();
    (await demo.show(id)).is(200).has({ id });
  });

  for (const [what, id] of Object.entries({
    'an unknown id': randomUUID(),
    'a word': 'ubuntu',
    'an id of 37 characters': `${randomUUID()}0`,
    'a very long id': 'a'.repeat(300),
    'the null id': '00000000-0000-0000-0000-000000000000',
  }))
    says(`${what} is 404`, async ({ demo }) => {
      (await demo.show(id)).is(404);
    });

  says('a deleted image is 404, to admin too', async ({ demo, admin, image }) => {
    const id = await image();
    (await demo.delete(`/v2/images/${id}`)).is(204);
    for (const client of [demo, admin]) (await client.show(id)).is(404);
  });

  says('query parameters are no matter', async ({ demo, image }) => {
    const id = await image();
    (await demo.get(`/v2/images/${id}?anything=1`)).is(200).has({ id });
  });
});
