import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { add, oldPatchType, patchType, remove, set } from '../client.ts';
import type { Site } from '../site.ts';

const raw = ({ demo }: Site, id: string, body: unknown, type: string | undefined = patchType) =>
  demo.send('PATCH', `/v2/images/${id}`, {
    headers: type === '' ? {} : { 'Content-Type': type },
    body: JSON.stringify(body),
  });

const readOnly =
  'id status created_at updated_at checksum size virtual_size os_hash_algo os_hash_value direct_url self file schema stores';
const baseFields =
  'name visibility protected os_hidden owner disk_format container_format min_disk min_ram tags';

/** Bodies that are no patch at all, each by what is wrong. */
const malformed: Readonly<Record<string, unknown>> = {
  'an object': { op: 'add', path: '/x', value: '1' },
  'an element that is text': ['add'],
  'an element that is null': [null],
  'no op': [{ path: '/x', value: '1' }],
  'an unknown op': [{ op: 'set', path: '/x', value: '1' }],
  'op move': [{ op: 'move', path: '/x', from: '/y' }],
  'op copy': [{ op: 'copy', path: '/x', from: '/y' }],
  'op test': [{ op: 'test', path: '/name', value: null }],
  'no path': [{ op: 'add', value: '1' }],
  'a path without /': [{ op: 'add', path: 'x', value: '1' }],
  'an empty path': [{ op: 'add', path: '', value: '1' }],
  'the path /': [{ op: 'add', path: '/', value: '1' }],
  'an empty segment': [{ op: 'add', path: '//x', value: '1' }],
  'a / at the end': [{ op: 'add', path: '/x/', value: '1' }],
  'a bare ~': [{ op: 'add', path: '/a~b', value: '1' }],
  'an unknown escape': [{ op: 'add', path: '/a~2b', value: '1' }],
  'a property two deep': [{ op: 'add', path: '/x/y', value: '1' }],
  'an element of tags': [{ op: 'add', path: '/tags/-', value: 'x' }],
  'a tag by position': [{ op: 'replace', path: '/tags/0', value: 'x' }],
  'add without value': [{ op: 'add', path: '/x' }],
  'replace without value': [{ op: 'replace', path: '/name' }],
};

const badValues: Readonly<Record<string, unknown>> = {
  name: 3,
  visibility: 'secret',
  protected: 'true',
  os_hidden: 1,
  min_disk: '1',
  min_ram: -1,
  tags: 'one',
  disk_format: 'floppy',
  container_format: 'crate',
  owner: 5,
  colour: 5,
  kernel_id: 'vmlinuz',
};

/** Reference, section 7. */
export const patch = section('patch', (says) => {
  for (const type of [
    undefined,
    'application/json',
    'application/json-patch+json',
    'application/openstack-images-v2.2-json-patch',
    'text/plain',
  ])
    says(`Content-Type ${type} is 415 with Accept-Patch`, async (site) => {
      const reply = (await raw(site, await site.image(), [], type ?? '')).is(415);
      reply.header('accept-patch', `${oldPatchType}, ${patchType}`);
    });

  for (const type of [`${patchType}; charset=utf-8`, `${oldPatchType};x=y`])
    says(`parameters of the media type are ignored: ${type}`, async (site) => {
      (await raw(site, await site.image(), [], type)).is(200);
    });

  says('the whole image is the answer', async ({ demo, image }) => {
    const id = await image();
    const reply = (await demo.patch(id, set('name', 'new'))).is(200);
    reply.header('content-type', /^application\/json/);
    const shown = await demo.show(id);
    reply.same('the image', reply.json(), shown.json());
  });

  says('an empty patch is 200 and saves nothing', async ({ demo, image }) => {
    const id = await image();
    const before = (await demo.show(id)).json();
    const reply = (await demo.patch(id)).is(200);
    reply.same('the image', reply.json(), before);
  });

  for (const [what, body] of Object.entries(malformed))
    says(`${what} is 400`, async (site) => {
      (await raw(site, await site.image({ tags: ['x'] }), body)).is(400);
    });

  for (const [name, value] of Object.entries(badValues))
    says(`${name} = ${JSON.stringify(value)} is 400, by add and by replace`, async (site) => {
      const id = await site.image({ colour: 'red' });
      for (const operation of [add(name, value), set(name, value)])
        (await site.demo.patch(id, operation)).is(400);
    });

  for (const name of readOnly.split(' '))
    says(`${name} is read-only: 403 for each op`, async ({ demo, admin, image }) => {
      const id = await image();
      const value = { size: 1, virtual_size: 1, status: 'active', id: randomUUID() }[name] ?? 'x';
      for (const client of [demo, admin])
        for (const operation of [add(name, value), set(name, value), remove(name)])
          (await client.patch(id, operation)).is(403);
    });

  for (const name of ['location', 'deleted', 'deleted_at', 'os_glance_import_task', 'os_glance_x'])
    says(`${name} is reserved: 403 for each op`, async ({ demo, admin, image }) => {
      const id = await image();
      for (const client of [demo, admin])
        for (const operation of [add(name, 'x'), set(name, 'x'), remove(name)])
          (await client.patch(id, operation)).is(403);
    });

  for (const name of baseFields.split(' '))
    says(`${name} cannot be removed: 403`, async ({ demo, image }) => {
      (await demo.patch(await image(), remove(name))).is(403);
    });

  const writable: Readonly<Record<string, unknown>> = {
    name: 'new',
    visibility: 'community',
    protected: true,
    os_hidden: true,
    disk_format: 'qcow2',
    container_format: 'ovf',
    min_disk: 3,
    min_ram: 4,
    tags: ['new'],
  };
  for (const [name, value] of Object.entries(writable))
    says(`add and replace set ${name}`, async ({ demo, image }) => {
      for (const operation of [add(name, value), set(name, value)]) {
        const id = await image();
        (await demo.patch(id, operation)).is(200).has({ [name]: value });
        (await demo.show(id)).has({ [name]: value });
      }
    });

  says('name may become null', async ({ demo, image }) => {
    const id = await image({ name: 'old' });
    (await demo.patch(id, set('name', null))).is(200).has({ name: null });
  });

  says('add makes a property and overwrites it', async ({ demo, image }) => {
    const id = await image();
    (await demo.patch(id, add('colour', 'red'))).is(200).has({ colour: 'red' });
    (await demo.patch(id, add('colour', 'blue'))).is(200).has({ colour: 'blue' });
  });

  says('replace changes a property that is there, and is 409 otherwise', async (site) => {
    const id = await site.image({ colour: 'red' });
    (await site.demo.patch(id, set('colour', 'blue'))).is(200).has({ colour: 'blue' });
    (await site.demo.patch(id, set('shape', 'round'))).is(409);
  });

  says('remove deletes a property that is there, and is 409 otherwise', async (site) => {
    const id = await site.image({ colour: 'red' });
    const reply = (await site.demo.patch(id, remove('colour'))).is(200);
    reply.that('no colour', !('colour' in reply.json()));
    (await site.demo.patch(id, remove('colour'))).is(409);
  });

  says('~1 and ~0 stand for / and ~', async ({ demo, image }) => {
    const id = await image();
    (await demo.patch(id, add('a~1b', '1'), add('c~0d', '2')))
      .is(200)
      .has({ 'a/b': '1', 'c~d': '2' });
    (await demo.patch(id, set('a~1b', '3'))).is(200).has({ 'a/b': '3' });
  });

  says('blanks around a segment are trimmed', async ({ demo, image }) => {
    (await demo.patch(await image(), add(' colour ', 'red'))).is(200).has({ colour: 'red' });
  });

  says('operations apply in order', async ({ demo, image }) => {
    const id = await image();
    const reply = await demo.patch(
      id,
      add('colour', 'red'),
      set('colour', 'blue'),
      add('shape', 'round'),
      remove('shape'),
    );
    const shown = reply.is(200).has({ colour: 'blue' });
    reply.that('no shape', !('shape' in shown));
  });

  says('nothing is saved when one operation is refused', async ({ demo, image }) => {
    const id = await image({ name: 'old' });
    (await demo.patch(id, set('name', 'new'), set('status', 'active'))).is(403);
    (await demo.patch(id, set('name', 'new'), set('missing', 'x'))).is(409);
    (await demo.patch(id, set('name', 'new'), { op: 'test', path: '/x' })).is(400);
    (await demo.patch(id, set('name', 'new'), remove('owner'))).is(403);
    (await demo.show(id)).has({ name: 'old' });
  });

  says('owner is set by admin alone, by add too', async ({ demo, admin, image, projects }) => {
    const id = await image();
    for (const operation of [add('owner', projects.alt), set('owner', projects.alt)])
      (await demo.patch(id, operation)).is(403);
    (await admin.patch(id, add('owner', projects.alt))).is(200).has({ owner: projects.alt });
  });

  says('formats are fixed once there is data: 403', async ({ demo, admin, active }) => {
    const id = await active();
    for (const client of [demo, admin])
      for (const operation of [
        set('disk_format', 'qcow2'),
        add('disk_format', 'qcow2'),
        set('container_format', 'ovf'),
      ])
        (await client.patch(id, operation)).is(403);
  });

  says('locations are 403 when the site does not show them', 'no shown locations', async (site) => {
    const id = await site.active();
    const location = { url: 'http://example.org/x', metadata: {} };
    for (const operation of [
      add('locations/-', location),
      add('locations/0', location),
      set('locations', [location]),
      set('locations', []),
      remove('locations/0'),
    ])
      (await site.demo.patch(id, operation)).is(403);
  });

  says('an unknown image is 404', async ({ demo }) => {
    (await demo.patch(randomUUID(), set('name', 'x'))).is(404);
  });

  const old = (site: Site, id: string, ...body: readonly unknown[]) =>
    raw(site, id, body, oldPatchType);

  says('the old media type adds, replaces and removes', async (site) => {
    const id = await site.image({ colour: 'red' });
    (await old(site, id, { add: '/shape', value: 'round' })).is(200).has({ shape: 'round' });
    (await old(site, id, { replace: '/colour', value: 'blue' })).is(200).has({ colour: 'blue' });
    (await old(site, id, { replace: '/name', value: 'new' })).is(200).has({ name: 'new' });
    const reply = (await old(site, id, { remove: '/shape' })).is(200);
    reply.that('no shape', !('shape' in reply.json()));
  });

  says('the old media type does not add what is there: 409', async (site) => {
    const id = await site.image({ colour: 'red' });
    (await old(site, id, { add: '/colour', value: 'blue' })).is(409);
  });

  for (const operation of [
    { op: 'add', path: '/x', value: '1' },
    { add: '/x', remove: '/x', value: '1' },
    { value: '1' },
    { add: '/x' },
    { test: '/name', value: null },
    { add: 'x', value: '1' },
  ])
    says(`the old media type refuses ${JSON.stringify(operation)}: 400`, async (site) => {
      (await old(site, await site.image(), operation)).is(400);
    });

  says('the old media type knows read-only and reserved names: 403', async (site) => {
    const id = await site.image();
    for (const path of ['/status', '/os_glance_x', '/deleted'])
      (await old(site, id, { replace: path, value: 'active' })).is(403);
  });
});
