import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { set } from '../client.ts';
import { isDocument, type Reply } from '../reply.ts';
import type { Site } from '../site.ts';

const idsIn = (reply: Reply) => {
  const { members: listed } = reply.is(200).json();
  return Array.isArray(listed) ? listed.filter(isDocument).map(({ member_id }) => member_id) : [];
};

async function withMember({ demo, image, projects }: Site): Promise<{ id: string; own: string }> {
  const id = await image({ visibility: 'shared' });
  (await demo.post(`/v2/images/${id}/members`, { member: projects.alt })).is(200);
  return { id, own: `/v2/images/${id}/members/${projects.alt}` };
}

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Reference, section 13. */
export const members = section('members', (says) => {
  says('POST is 200 with a pending member', async ({ demo, image, projects }) => {
    const id = await image();
    const reply = (await demo.post(`/v2/images/${id}/members`, { member: projects.alt })).is(200);
    const { created_at, updated_at, ...rest } = reply.json();
    for (const time of [created_at, updated_at])
      reply.that('a timestamp', timestamp.test(String(time)));
    reply.same('the rest', rest, {
      image_id: id,
      member_id: projects.alt,
      status: 'pending',
      schema: '/v2/schemas/member',
    });
  });

  says('a new image has none', async ({ demo, image }) => {
    const reply = (await demo.get(`/v2/images/${await image()}/members`)).is(200);
    reply.same('the document', reply.json(), { members: [], schema: '/v2/schemas/members' });
  });

  says('the owner and admin list all, a reader of the owner too', async (site) => {
    const { id } = await withMember(site);
    (await site.demo.post(`/v2/images/${id}/members`, { member: 'elsewhere' })).is(200);
    for (const client of [site.demo, site.admin, site.viewer]) {
      const reply = await client.get(`/v2/images/${id}/members`);
      reply.same('the members', idsIn(reply).sort(), ['elsewhere', site.projects.alt].sort());
    }
  });

  says('a member lists itself alone', async (site) => {
    const { id } = await withMember(site);
    (await site.demo.post(`/v2/images/${id}/members`, { member: 'elsewhere' })).is(200);
    const reply = await site.alt.get(`/v2/images/${id}/members`);
    reply.same('the members', idsIn(reply), [site.projects.alt]);
  });

  says('GET of one is for the owner, admin and that member', async (site) => {
    const { own } = await withMember(site);
    for (const client of [site.demo, site.admin, site.alt])
      (await client.get(own)).is(200).has({ member_id: site.projects.alt, status: 'pending' });
  });

  says('a member that asks about another is told 404', async (site) => {
    const { id } = await withMember(site);
    (await site.demo.post(`/v2/images/${id}/members`, { member: 'elsewhere' })).is(200);
    (await site.alt.get(`/v2/images/${id}/members/elsewhere`)).is(404);
  });

  says('the member changes its status from any to any', async (site) => {
    const { own } = await withMember(site);
    for (const status of ['accepted', 'rejected', 'pending', 'rejected', 'accepted'])
      (await site.alt.put(own, { status })).is(200).has({ status, member_id: site.projects.alt });
    (await site.alt.get(own)).has({ status: 'accepted' });
  });

  says('admin changes the status too', async (site) => {
    const { own } = await withMember(site);
    (await site.admin.put(own, { status: 'accepted' })).is(200).has({ status: 'accepted' });
  });

  says('the owner may not change the status: 403', async (site) => {
    const { own } = await withMember(site);
    (await site.demo.put(own, { status: 'accepted' })).is(403);
  });

  for (const body of [{}, { status: 'asleep' }, { status: null }, { status: 1 }, []])
    says(`PUT of ${JSON.stringify(body)} is 400`, async (site) => {
      const { own } = await withMember(site);
      (await site.alt.put(own, body)).is(400);
    });

  for (const body of [{}, { member: '' }, { member: null }, []])
    says(`POST of ${JSON.stringify(body)} is 400`, async ({ demo, image }) => {
      (await demo.post(`/v2/images/${await image()}/members`, body)).is(400);
    });

  says('POST of who is a member is 409', async (site) => {
    const { id } = await withMember(site);
    (await site.demo.post(`/v2/images/${id}/members`, { member: site.projects.alt })).is(409);
  });

  says('DELETE is 204, and the image is gone for who was a member', async (site) => {
    const { id, own } = await withMember(site);
    (await site.alt.show(id)).is(200);
    (await site.demo.delete(own)).is(204);
    (await site.alt.show(id)).is(404);
    (await site.demo.get(own)).is(404);
    (await site.demo.delete(own)).is(404);
  });

  says('who was removed and comes again is pending', async (site) => {
    const { id, own } = await withMember(site);
    (await site.alt.put(own, { status: 'accepted' })).is(200);
    (await site.demo.delete(own)).is(204);
    (await site.demo.post(`/v2/images/${id}/members`, { member: site.projects.alt }))
      .is(200)
      .has({ status: 'pending' });
  });

  says('a member may not add, nor remove itself: 403', async (site) => {
    const { id, own } = await withMember(site);
    (await site.alt.post(`/v2/images/${id}/members`, { member: 'elsewhere' })).is(403);
    (await site.alt.delete(own)).is(403);
  });

  says('the owner may be a member', async ({ demo, image, projects }) => {
    const id = await image();
    (await demo.post(`/v2/images/${id}/members`, { member: projects.demo })).is(200);
  });

  says('any word is taken for a project', async ({ demo, image }) => {
    const id = await image();
    (await demo.post(`/v2/images/${id}/members`, { member: 'nobody at all' }))
      .is(200)
      .has({ member_id: 'nobody at all' });
  });

  says('an unknown member is 404', async ({ demo, admin, image }) => {
    const path = `/v2/images/${await image()}/members/nobody`;
    (await demo.get(path)).is(404);
    (await demo.delete(path)).is(404);
    (await admin.put(path, { status: 'accepted' })).is(404);
  });

  says('who may not remove or answer is told so before anything is looked up', async (site) => {
    const { id } = await withMember(site);
    const nobody = `/v2/images/${id}/members/nobody`;
    (await site.alt.delete(nobody)).is(403);
    (await site.demo.put(nobody, { status: 'accepted' })).is(403);
  });

  says('an unknown image is 404', async ({ demo }) => {
    const path = `/v2/images/${randomUUID()}/members`;
    (await demo.get(path)).is(404);
    (await demo.post(path, { member: 'x' })).is(404);
    (await demo.get(`${path}/x`)).is(404);
    (await demo.put(`${path}/x`, { status: 'accepted' })).is(404);
    (await demo.delete(`${path}/x`)).is(404);
  });

  for (const visibility of ['private', 'community'])
    says(`a ${visibility} image takes no members: 403, and 404 for one`, async (site) => {
      const { id, own } = await withMember(site);
      (await site.demo.patch(id, set('visibility', visibility))).is(200);
      (await site.demo.get(`/v2/images/${id}/members`)).is(403);
      (await site.demo.post(`/v2/images/${id}/members`, { member: 'x' })).is(403);
      (await site.demo.get(own)).is(404);
      (await site.demo.delete(own)).is(403);
      (await site.admin.put(own, { status: 'accepted' })).is(403);
    });
});
