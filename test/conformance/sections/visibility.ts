import { section } from '../case.ts';
import type { Client } from '../client.ts';
import { set } from '../client.ts';
import { isDocument } from '../reply.ts';
import type { Site } from '../site.ts';

/** Ids in a listing that is narrowed to one name. */
async function listed(client: Client, name: string, query = ''): Promise<readonly unknown[]> {
  const { images } = (await client.get(`/v2/images?name=${name}${query}`)).is(200).json();
  return Array.isArray(images) ? images.filter(isDocument).map(({ id }) => id) : [];
}

async function inList(
  client: Client,
  name: string,
  id: string,
  wanted: boolean,
  query = '',
): Promise<void> {
  const reply = (await client.get(`/v2/images?name=${name}${query}`)).is(200);
  const ids = await listed(client, name, query);
  reply.that(`a list ${wanted ? 'with' : 'without'} ${id}`, ids.includes(id) === wanted, ids);
}

const shared = async (
  { demo, image, projects }: Site,
  name: string,
  status: 'pending' | 'accepted' | 'rejected',
  alt: Client,
): Promise<string> => {
  const id = await image({ name, visibility: 'shared' });
  (await demo.post(`/v2/images/${id}/members`, { member: projects.alt })).is(200);
  if (status !== 'pending')
    (await alt.put(`/v2/images/${id}/members/${projects.alt}`, { status })).is(200);
  return id;
};

/** Reference, sections 5.1 and 5.2. */
export const visibility = section('visibility', (says) => {
  for (const kind of ['private', 'shared'])
    says(`a ${kind} image is seen by its project and by admin alone`, async (site) => {
      const name = site.unique();
      const id = await site.image({ name, visibility: kind });
      for (const client of [site.demo, site.viewer, site.admin]) {
        (await client.show(id)).is(200);
        await inList(client, name, id, true);
      }
      (await site.alt.show(id)).is(404);
      await inList(site.alt, name, id, false);
    });

  says('a community image is shown to all and listed to its own', async (site) => {
    const name = site.unique();
    const id = await site.image({ name, visibility: 'community' });
    for (const client of [site.demo, site.viewer, site.alt, site.admin])
      (await client.show(id)).is(200);
    await inList(site.demo, name, id, true);
    await inList(site.alt, name, id, false);
    await inList(site.alt, name, id, true, '&visibility=community');
    await inList(site.alt, name, id, true, '&visibility=all');
  });

  says('a community image of another project is not in the default list of admin', async (site) => {
    const name = site.unique();
    const id = await site.image({ name, visibility: 'community' });
    await inList(site.admin, name, id, false);
    await inList(site.admin, name, id, true, '&visibility=community');
  });

  says('a public image is seen and listed by all', async (site) => {
    const name = site.unique();
    const id = await site.image({ name, visibility: 'public' }, site.admin);
    for (const client of [site.demo, site.viewer, site.alt, site.admin]) {
      (await client.show(id)).is(200);
      await inList(client, name, id, true);
    }
  });

  says('an image without owner is shown to all', async (site) => {
    const id = await site.image({ owner: '', visibility: 'private' }, site.admin);
    for (const client of [site.demo, site.alt, site.viewer]) (await client.show(id)).is(200);
  });

  for (const status of ['pending', 'accepted', 'rejected'] as const)
    says(`a member that is ${status} sees a shared image by id`, async (site) => {
      const name = site.unique();
      const id = await shared(site, name, status, site.alt);
      (await site.alt.show(id)).is(200);
      await inList(site.alt, name, id, status === 'accepted');
      await inList(site.alt, name, id, true, `&visibility=shared&member_status=${status}`);
      await inList(site.alt, name, id, true, '&visibility=shared&member_status=all');
    });

  says('members sleep while the image is not shared', async (site) => {
    const name = site.unique();
    const id = await shared(site, name, 'accepted', site.alt);
    (await site.demo.patch(id, set('visibility', 'private'))).is(200);
    (await site.alt.show(id)).is(404);
    (await site.demo.patch(id, set('visibility', 'shared'))).is(200);
    (await site.alt.show(id)).is(200);
    await inList(site.alt, name, id, true);
  });

  says('a hidden image is shown, and listed on request alone', async (site) => {
    const name = site.unique();
    const id = await site.image({ name, os_hidden: true });
    (await site.demo.show(id)).is(200);
    await inList(site.demo, name, id, false);
    await inList(site.demo, name, id, true, '&os_hidden=true');
  });

  says('a hidden image of another stays unseen', async (site) => {
    const name = site.unique();
    const id = await site.image({ name, os_hidden: true });
    await inList(site.alt, name, id, false, '&os_hidden=true');
  });

  says('a deleted image is in no list', async (site) => {
    const name = site.unique();
    const id = await site.image({ name });
    (await site.demo.delete(`/v2/images/${id}`)).is(204);
    for (const client of [site.demo, site.admin]) await inList(client, name, id, false);
  });
});
