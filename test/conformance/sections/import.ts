import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import type { Client } from '../client.ts';
import { type Site, someBytes } from '../site.ts';

const start = (client: Client, id: string, body: unknown) =>
  client.post(`/v2/images/${id}/import`, body);

const direct = { method: { name: 'glance-direct' } };

async function staged({ demo, image }: Site, attributes = {}): Promise<string> {
  const id = await image(attributes);
  (await demo.stage(id, someBytes)).is(204);
  return id;
}

const refused: Readonly<Record<string, unknown>> = {
  'without method': {},
  'with a method without name': { method: {} },
  'with a method that is text': { method: 'glance-direct' },
  'by an unknown method': { method: { name: 'by-post' } },
  'with all_stores as text': { ...direct, all_stores: 'yes' },
  'with all_stores_must_succeed as text': { ...direct, all_stores_must_succeed: 'yes' },
  'with all_stores and stores': { ...direct, all_stores: true, stores: ['fast'] },
};

/** Reference, section 9, as far as one endpoint shows it by itself. */
export const importing = section('import', (says) => {
  says('glance-direct makes a staged image active', 'glance-direct', async (site) => {
    const { demo, eventually } = site;
    const id = await staged(site);
    const reply = (await start(demo, id, direct)).is(202);
    reply.same('the body', reply.text, '');
    await eventually(
      () => demo.show(id),
      (shown) => shown.has({ status: 'active', size: someBytes.length }),
    );
    const data = (await demo.download(id)).is(200);
    data.that('the bytes', data.bytes.equals(someBytes));
  });

  says(
    'the finished import leaves no lock and a task that succeeded',
    'glance-direct',
    async (site) => {
      const { demo, eventually } = site;
      const id = await staged(site);
      (await start(demo, id, direct)).is(202);
      await eventually(
        () => demo.show(id),
        (shown) => {
          const image = shown.has({ status: 'active' });
          shown.that('no os_glance_import_task', !('os_glance_import_task' in image));
        },
      );
      await eventually(
        () => demo.get(`/v2/images/${id}/tasks`),
        (reply) => {
          const { tasks } = reply.is(200).json();
          const [task] = Array.isArray(tasks) ? tasks : [];
          reply.same(
            'type, status and image',
            [task?.type, task?.status, task?.image_id],
            ['api_image_import', 'success', id],
          );
          reply.that(
            'a time with microseconds and no zone',
            /^[\d-]+T[\d:]+\.\d{6}$/.test(task?.created_at),
          );
        },
      );
    },
  );

  says('data that is not the declared format ends queued', 'glance-direct', async (site) => {
    const { demo, eventually } = site;
    const id = await staged(site, { disk_format: 'qcow2' });
    (await start(demo, id, direct)).is(202);
    await eventually(
      () => demo.show(id),
      (shown) => shown.has({ status: 'queued' }),
    );
  });

  for (const [what, body] of Object.entries(refused))
    says(`${what} is 400`, 'glance-direct', async (site) => {
      (await start(site.demo, await staged(site), body)).is(400);
    });

  says(
    'all_stores_must_succeed = false is 400 on a single-store site',
    ['glance-direct', 'single store'],
    async (site) => {
      const id = await staged(site);
      (await start(site.demo, id, { ...direct, all_stores_must_succeed: false })).is(400);
    },
  );

  says('to an unknown store is 409', ['glance-direct', 'multiple stores'], async (site) => {
    (await start(site.demo, await staged(site), { ...direct, stores: ['nowhere'] })).is(409);
  });

  says(
    'to stores by header and body at once is 400',
    ['glance-direct', 'multiple stores'],
    async (site) => {
      const [first] = site.offer.stores;
      for (const choice of [{ stores: [first?.id] }, { all_stores: true }])
        (
          await site.demo.send('POST', `/v2/images/${await staged(site)}/import`, {
            headers: { 'X-Image-Meta-Store': first?.id },
            body: JSON.stringify({ ...direct, ...choice }),
          })
        ).is(400);
    },
  );

  says(
    'to all stores leaves empty lists of what is to do',
    ['glance-direct', 'multiple stores'],
    async (site) => {
      const { demo, eventually, offer } = site;
      const id = await staged(site);
      (await start(demo, id, { ...direct, all_stores: true })).is(202);
      const writable = offer.stores
        .filter(({ isReadOnly }) => !isReadOnly)
        .map((store) => store.id);
      await eventually(
        () => demo.show(id),
        (shown) => {
          const { stores } = shown.has({
            status: 'active',
            os_glance_importing_to_stores: '',
            os_glance_failed_import: '',
          });
          shown.same('stores', String(stores).split(',').sort(), writable.sort());
        },
      );
    },
  );

  says('a finished task is shown to admin and listed', 'glance-direct', async (site) => {
    const { admin, demo, eventually } = site;
    const id = await staged(site);
    (await start(demo, id, direct)).is(202);
    const reply = await eventually(
      () => demo.get(`/v2/images/${id}/tasks`),
      (asked) => asked.that('a task that succeeded', asked.text.includes('"success"')),
    );
    const { tasks } = reply.json();
    const [task] = Array.isArray(tasks) ? tasks : [];
    const shown = (await admin.get(`/v2/tasks/${task?.id}`)).is(200);
    shown.has({
      id: task?.id,
      type: 'api_image_import',
      status: 'success',
      owner: site.projects.demo,
      self: `/v2/tasks/${task?.id}`,
      schema: '/v2/schemas/task',
    });
    for (const name of ['input', 'result', 'message', 'created_at', 'updated_at'])
      shown.that(`a field ${name}`, name in shown.json());
    (await demo.get(`/v2/tasks/${task?.id}`)).is(403);
  });

  says('glance-direct of an image that is not staged is 409', 'glance-direct', async (site) => {
    for (const id of [await site.image(), await site.active()])
      (await start(site.demo, id, direct)).is(409);
  });

  for (const field of ['disk_format', 'container_format'])
    says(`without ${field} is 409`, 'glance-direct', async (site) => {
      const id = await staged(site, { [field]: null });
      (await start(site.demo, id, direct)).is(409);
    });

  says('by a stranger is 404, by a reader 403', 'glance-direct', async (site) => {
    const id = await staged(site);
    (await start(site.alt, id, direct)).is(404);
    (await start(site.viewer, id, direct)).is(403);
    (await start(site.demo, randomUUID(), direct)).is(404);
  });

  for (const uri of [undefined, '', 'file:///etc/passwd', 'ftp://example.org/x', 'not a url'])
    says(`web-download of ${JSON.stringify(uri)} is 400`, 'web-download', async (site) => {
      const body = { method: { name: 'web-download', uri } };
      (await start(site.demo, await site.image(), body)).is(400);
    });

  says('web-download to an active image is 409', ['web-download', 'source'], async (site) => {
    const body = { method: { name: 'web-download', uri: site.source } };
    (await start(site.demo, await site.active(), body)).is(409);
  });

  says('web-download makes a queued image active', ['web-download', 'source'], async (site) => {
    const id = await site.image();
    const body = { method: { name: 'web-download', uri: site.source } };
    (await start(site.demo, id, body)).is(202);
    await site.eventually(
      () => site.demo.show(id),
      (shown) => shown.has({ status: 'active' }),
    );
  });

  says(
    'web-download from where nothing is ends queued, with a task that failed',
    ['web-download', 'source'],
    async (site) => {
      const { demo, eventually } = site;
      const id = await site.image();
      const body = { method: { name: 'web-download', uri: `${site.source}-is-not-here` } };
      (await start(demo, id, body)).is(202);
      await eventually(
        () => demo.show(id),
        (shown) => {
          const image = shown.has({ status: 'queued' });
          shown.that('no os_glance_import_task', !('os_glance_import_task' in image));
        },
      );
      await eventually(
        () => demo.get(`/v2/images/${id}/tasks`),
        (reply) => {
          const { tasks } = reply.is(200).json();
          const [task] = Array.isArray(tasks) ? tasks : [];
          reply.same('its status', task?.status, 'failure');
          reply.that('a reason', typeof task?.message === 'string' && task.message !== '');
        },
      );
    },
  );

  says(
    'web-download to all stores is in each of them',
    ['web-download', 'source', 'two writable stores'],
    async (site) => {
      const id = await site.image();
      const method = { name: 'web-download', uri: site.source };
      (await start(site.demo, id, { method, all_stores: true })).is(202);
      const writable = site.offer.stores.filter(({ isReadOnly }) => !isReadOnly);
      await site.eventually(
        () => site.demo.show(id),
        (shown) => {
          const { stores } = shown.has({
            status: 'active',
            os_glance_importing_to_stores: '',
            os_glance_failed_import: '',
          });
          shown.same(
            'stores',
            String(stores).split(',').sort(),
            writable.map((store) => store.id).sort(),
          );
        },
      );
    },
  );

  says('copy-image of an image without data is 409', 'copy-image', async (site) => {
    const body = { method: { name: 'copy-image' }, all_stores: true };
    (await start(site.admin, await site.image(), body)).is(409);
  });

  says(
    'copy-image to a store that has it is 400',
    ['copy-image', 'multiple stores'],
    async (site) => {
      const stores = site.offer.stores.filter(({ isDefault }) => isDefault).map(({ id }) => id);
      const body = { method: { name: 'copy-image' }, stores };
      (await start(site.admin, await site.active(), body)).is(400);
    },
  );

  for (const method of [
    {},
    { glance_region: 'RegionTwo' },
    { glance_region: 'RegionTwo', glance_image_id: 'x' },
  ])
    says(
      `glance-download with ${JSON.stringify(method)} is 400`,
      'glance-download',
      async (site) => {
        const body = { method: { name: 'glance-download', ...method } };
        (await start(site.demo, await site.image(), body)).is(400);
      },
    );

  says('copy-image is for admin', 'copy-image', async (site) => {
    const body = { method: { name: 'copy-image' }, all_stores: true };
    (await start(site.demo, await site.active(), body)).is(403);
  });

  says('copy-image fills the other store', ['copy-image', 'two writable stores'], async (site) => {
    const id = await site.active();
    const body = { method: { name: 'copy-image' }, all_stores: true };
    (await start(site.admin, id, body)).is(202);
    const wanted = site.offer.stores.filter(({ isReadOnly }) => !isReadOnly);
    await site.eventually(
      () => site.admin.show(id),
      (shown) => {
        const { stores, status } = shown.json();
        shown.same(
          'stores',
          String(stores).split(',').sort(),
          wanted.map((store) => store.id).sort(),
        );
        shown.same('status', status, 'active');
      },
    );
  });

  says(
    'copy-image to all stores of an image that is in all is 202 and does nothing',
    ['copy-image', 'two writable stores'],
    async (site) => {
      const id = await site.active();
      const body = { method: { name: 'copy-image' }, all_stores: true };
      (await start(site.admin, id, body)).is(202);
      await site.eventually(
        () => site.admin.show(id),
        (shown) => {
          const image = shown.has({ os_glance_importing_to_stores: '' });
          shown.that('no os_glance_import_task', !('os_glance_import_task' in image));
        },
      );
      const before = (await site.admin.show(id)).json();
      (await start(site.admin, id, body)).is(202);
      const after = (await site.admin.show(id)).has({ status: 'active', stores: before.stores });
      (await site.admin.show(id)).that('no task', !('os_glance_import_task' in after));
    },
  );
});
