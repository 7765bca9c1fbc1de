import { section } from '../case.ts';
import { add, type Client, remove, set } from '../client.ts';
import type { Reply } from '../reply.ts';
import { type Site, someBytes } from '../site.ts';

type Call = (client: Client, id: string, site: Site) => Promise<Reply>;

/** Calls that change an image or what belongs to it. */
const changes: Readonly<Record<string, Call>> = {
  'PATCH of a field': (client, id) => client.patch(id, set('name', 'changed')),
  'PATCH of a property': (client, id) => client.patch(id, add('colour', 'red')),
  'PATCH of locations': (client, id) => client.patch(id, remove('locations/0')),
  'PUT of a tag': (client, id) => client.put(`/v2/images/${id}/tags/new`),
  'DELETE of a tag': (client, id) => client.delete(`/v2/images/${id}/tags/old`),
  DELETE: (client, id) => client.delete(`/v2/images/${id}`),
  deactivate: (client, id) => client.post(`/v2/images/${id}/actions/deactivate`),
  reactivate: (client, id) => client.post(`/v2/images/${id}/actions/reactivate`),
  upload: (client, id) => client.upload(id, someBytes),
  'POST of a member': (client, id, { projects }) =>
    client.post(`/v2/images/${id}/members`, { member: projects.admin }),
  'DELETE of a member': (client, id) => client.delete(`/v2/images/${id}/members/elsewhere`),
};

/** Calls that only look. */
const looks: Readonly<Record<string, Call>> = {
  show: (client, id) => client.show(id),
  download: (client, id) => client.download(id),
  'GET of members': (client, id) => client.get(`/v2/images/${id}/members`),
  'GET of tasks': (client, id) => client.get(`/v2/images/${id}/tasks`),
};

/** An active image with a tag and a member, so that every call would have something to do. */
async function furnished(site: Site, visibility: string, by: Client = site.demo): Promise<string> {
  const id = await site.active({ visibility: 'shared', tags: ['old'] }, undefined, by);
  (await by.post(`/v2/images/${id}/members`, { member: 'elsewhere' })).is(200);
  (await by.patch(id, set('visibility', visibility))).is(200);
  return id;
}

/** Reference, section 5.3. */
export const access = section('access', (says) => {
  for (const [what, call] of Object.entries({ ...looks, ...changes }))
    says(`${what} by a stranger to a private image is 404`, async (site) => {
      const id = await furnished(site, 'private');
      (await call(site.alt, id, site)).is(404);
    });

  for (const [what, call] of Object.entries(changes))
    says(`${what} by a stranger to a community image is 403`, async (site) => {
      const id = await furnished(site, 'community');
      (await call(site.alt, id, site)).is(403);
    });

  for (const [what, call] of Object.entries(changes))
    says(`${what} by a reader of the owner is 403`, async (site) => {
      const id = await furnished(site, 'shared');
      (await call(site.viewer, id, site)).is(403);
    });

  says('a reader cannot create', async ({ viewer }) => {
    (await viewer.post('/v2/images', {})).is(403);
  });

  says('a reader can show and list, but not download', async ({ viewer, active, unique }) => {
    const name = unique();
    const id = await active({ name });
    (await viewer.show(id)).is(200);
    const reply = (await viewer.get(`/v2/images?name=${name}`)).is(200);
    reply.that('the image in the list', reply.text.includes(id));
    (await viewer.download(id)).is(403);
  });

  says('a stranger with role member downloads a community image', async ({ alt, active }) => {
    const id = await active({ visibility: 'community' });
    (await alt.download(id)).is(200);
  });

  says('a member of the image downloads but changes nothing', async (site) => {
    const { alt, demo, projects } = site;
    const id = await furnished(site, 'shared');
    (await demo.post(`/v2/images/${id}/members`, { member: projects.alt })).is(200);
    (await alt.download(id)).is(200);
    for (const call of Object.values(changes)) (await call(alt, id, site)).is(403);
  });

  says('admin shows, changes and deletes the image of another', async (site) => {
    const { admin } = site;
    const id = await furnished(site, 'private');
    (await admin.show(id)).is(200);
    (await admin.download(id)).is(200);
    (await admin.patch(id, set('name', 'theirs'))).is(200).has({ owner: site.projects.demo });
    (await admin.put(`/v2/images/${id}/tags/new`)).is(204);
    (await admin.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await admin.delete(`/v2/images/${id}`)).is(204);
  });

  says('public is for admin, by create and by patch', async ({ admin, demo, image }) => {
    (await demo.post('/v2/images', { visibility: 'public' })).is(403);
    const id = await image();
    (await demo.patch(id, set('visibility', 'public'))).is(403);
    (await admin.patch(id, set('visibility', 'public'))).is(200).has({ visibility: 'public' });
  });

  says('a member of the project may make its image community', async ({ demo, image }) => {
    (await demo.post('/v2/images', { visibility: 'community' })).is(201);
    (await demo.patch(await image(), set('visibility', 'community'))).is(200);
  });

  says('a public image cannot be changed by others', async (site) => {
    const id = await furnished(site, 'public', site.admin);
    for (const call of Object.values(changes)) (await call(site.demo, id, site)).is(403);
  });

  says('owner is changed by admin alone', async ({ admin, demo, image, projects }) => {
    const id = await image();
    (await demo.patch(id, set('owner', projects.alt))).is(403);
    (await admin.patch(id, set('owner', projects.alt))).is(200).has({ owner: projects.alt });
    (await demo.show(id)).is(404);
  });

  says('admin creates for another owner, nobody else', async ({ admin, demo, projects }) => {
    (await demo.post('/v2/images', { owner: projects.alt })).is(403);
    (await admin.post('/v2/images', { owner: projects.alt })).is(201).has({ owner: projects.alt });
  });
});
