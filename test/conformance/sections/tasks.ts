import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

const job = (change: Readonly<Record<string, unknown>> = {}) => ({
  type: 'import',
  input: {
    import_from: 'http://127.0.0.1:9/nothing',
    import_from_format: 'raw',
    image_properties: {},
  },
  ...change,
});

/** Reference, section 10. */
export const tasks = section('tasks', (says) => {
  says('an image that no task worked on has none', async ({ demo, viewer, image }) => {
    const id = await image();
    for (const client of [demo, viewer]) {
      const reply = (await client.get(`/v2/images/${id}/tasks`)).is(200);
      reply.same('the document', reply.json(), { tasks: [] });
    }
  });

  says('tasks of an unknown image are 404', async ({ demo }) => {
    (await demo.get(`/v2/images/${randomUUID()}/tasks`)).is(404);
  });

  for (const [method, path] of [
    ['GET', '/v2/tasks'],
    ['POST', '/v2/tasks'],
    ['GET', `/v2/tasks/ID`],
  ] as const)
    says(`${method} ${path} is for admin: 403`, async ({ demo, viewer }) => {
      for (const client of [demo, viewer]) {
        const asked = method === 'POST' ? { body: JSON.stringify(job()) } : {};
        (await client.send(method, path.replace('ID', randomUUID()), asked)).is(403);
      }
    });

  says('GET lists tasks with first and schema', async ({ admin }) => {
    const reply = (await admin.get('/v2/tasks?limit=1')).is(200);
    reply.has({ first: '/v2/tasks?limit=1', schema: '/v2/schemas/tasks' });
    reply.that('tasks as an array', Array.isArray(reply.json().tasks));
  });

  for (const query of [
    'limit=ten',
    'limit=-1',
    'sort_key=colour',
    'sort_dir=up',
    'status=asleep',
    'type=export',
  ])
    says(`GET with ${query} is 400`, async ({ admin }) => {
      (await admin.get(`/v2/tasks?${query}`)).is(400);
    });

  for (const query of ['status=success', 'type=import', 'sort_key=status&sort_dir=asc'])
    says(`GET with ${query} is 200`, async ({ admin }) => {
      (await admin.get(`/v2/tasks?${query}`)).is(200);
    });

  says('an unknown task is 404', async ({ admin }) => {
    (await admin.get(`/v2/tasks/${randomUUID()}`)).is(404);
  });

  says('a task cannot be deleted: 405', async ({ admin }) => {
    (await admin.delete(`/v2/tasks/${randomUUID()}`)).is(405).header('allow', 'GET');
  });

  for (const [what, body] of Object.entries({
    'no type': job({ type: undefined }),
    'an unknown type': job({ type: 'export' }),
    'no input': job({ input: undefined }),
    'input that is text': job({ input: 'x' }),
    'no import_from': job({ input: { import_from_format: 'raw', image_properties: {} } }),
    'a file to import': job({
      input: { import_from: 'file:///etc/passwd', import_from_format: 'raw', image_properties: {} },
    }),
  }))
    says(`POST with ${what} is 400`, async ({ admin }) => {
      (await admin.post('/v2/tasks', body)).is(400);
    });

  says(
    'POST of an import is a task that makes an image',
    ['web-download', 'source'],
    async (site) => {
      const { admin, eventually, source, unique } = site;
      const name = unique();
      const input = {
        import_from: source,
        import_from_format: 'raw',
        image_properties: { name, disk_format: 'raw', container_format: 'bare' },
      };
      const asked = (await admin.post('/v2/tasks', job({ input }))).is(201);
      const { id } = asked.has({ type: 'import', owner: site.projects.admin });
      asked.header('location', `${site.base}/v2/tasks/${id}`);
      await eventually(
        () => admin.get(`/v2/tasks/${id}`),
        (reply) => {
          const { result } = reply.has({ id, type: 'import', status: 'success' });
          reply.that('an image', typeof (result as { image_id?: unknown })?.image_id === 'string');
        },
      );
      const { images } = (await admin.get(`/v2/images?name=${name}`)).is(200).json();
      const [image] = Array.isArray(images) ? images : [];
      (await admin.show(image?.id)).has({ status: 'active', disk_format: 'raw' });
      (await admin.delete(`/v2/images/${image?.id}`)).is(204);
    },
  );
});
