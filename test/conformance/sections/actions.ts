import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

/** Reference, section 11. */
export const actions = section('actions', (says) => {
  for (const [action, status] of [
    ['deactivate', 'deactivated'],
    ['reactivate', 'active'],
  ] as const) {
    const path = (id: string) => `/v2/images/${id}/actions/${action}`;

    says(`${action} is 204 and empty, again too`, async ({ demo, active }) => {
      const id = await active();
      if (action === 'reactivate') await demo.post(`/v2/images/${id}/actions/deactivate`);
      for (const _ of [1, 2]) {
        const reply = (await demo.post(path(id))).is(204);
        reply.same('the body', reply.text, '');
        (await demo.show(id)).has({ status });
      }
    });

    says(`${action} again saves nothing`, async ({ demo, active }) => {
      const id = await active();
      (await demo.post(path(id))).is(204);
      const before = (await demo.show(id)).json();
      (await demo.post(path(id))).is(204);
      const reply = await demo.show(id);
      reply.same('the image', reply.json(), before);
    });

    says(`${action} of a queued image is 403`, async ({ demo, image }) => {
      (await demo.post(path(await image()))).is(403);
    });

    says(`${action} of an unknown image is 404`, async ({ demo }) => {
      (await demo.post(path(randomUUID()))).is(404);
    });
  }

  says('an unknown action is 404', async ({ demo, active }) => {
    (await demo.post(`/v2/images/${await active()}/actions/rotate`)).is(404);
  });

  says('a deactivated image is shown and listed', async ({ demo, active, unique }) => {
    const name = unique();
    const id = await active({ name });
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await demo.show(id)).is(200);
    const reply = (await demo.get(`/v2/images?name=${name}&status=deactivated`)).is(200);
    reply.that('the image in the list', reply.text.includes(id));
  });
});
