import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import type { Client } from '../client.ts';

const calls: readonly (readonly [string, string])[] = [
  ['GET', '/v2/cache'],
  ['PUT', '/v2/cache/ID'],
  ['DELETE', '/v2/cache/ID'],
  ['DELETE', '/v2/cache'],
  ['GET', '/v2/cache/nodes/ID'],
  ['POST', '/v2/cache/clean'],
  ['POST', '/v2/cache/prune'],
];

const call = (client: Client, [method, path]: readonly [string, string], id: string) =>
  client.send(method, path.replace('ID', id));

/** Reference, section 17. */
export const cache = section('cache', (says) => {
  for (const one of calls)
    says(`${one.join(' ')} is for admin: 403`, async ({ demo, viewer, active }) => {
      const id = await active();
      for (const client of [demo, viewer]) (await call(client, one, id)).is(403);
    });

  for (const one of calls)
    says(`${one.join(' ')} is 404 where no cache is`, 'no cache', async ({ admin, active }) => {
      (await call(admin, one, await active())).is(404);
    });

  says('GET lists what is cached and queued', 'cache', async ({ admin }) => {
    const { cached_images, queued_images } = (await admin.get('/v2/cache')).is(200).json();
    const reply = await admin.get('/v2/cache');
    reply.that('two arrays', Array.isArray(cached_images) && Array.isArray(queued_images));
  });

  says('PUT queues an active image', 'cache', async ({ admin, active, image }) => {
    (await admin.put(`/v2/cache/${await active()}`)).is(202);
    (await admin.put(`/v2/cache/${await image()}`)).is(400);
    (await admin.put(`/v2/cache/${randomUUID()}`)).is(404);
  });

  says('DELETE takes a target, and no other', 'cache', async ({ admin }) => {
    const headers = { 'X-Image-Cache-Clear-Target': 'everything' };
    (await admin.send('DELETE', '/v2/cache', { headers })).is(400);
    const queue = { 'X-Image-Cache-Clear-Target': 'queue' };
    (await admin.send('DELETE', '/v2/cache', { headers: queue })).is(204);
  });
});
