import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import {
  admin,
  alice,
  bob,
  octets,
  rawFormat,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { until } from '../support/until.ts';

type Document = Record<string, unknown>;

const start = (t: TestContext) =>
  startGateway(t, { change: (ports) => ({ ...ports, importMethods: ['glance-direct'] }) });

/** Imports a public image of alice's; gives its id and its task, which succeeded. */
async function imported(gateway: TestGateway): Promise<{ id: string; task: Document }> {
  const id = await gateway.create({ ...rawFormat, visibility: 'community' });
  const put = { method: 'PUT', headers: octets, body: Buffer.from('bytes') };
  assert.equal((await gateway.ask(`/v2/images/${id}/stage`, put)).status, 204);
  const document = { method: { name: 'glance-direct' } };
  assert.equal((await gateway.send('POST', `/v2/images/${id}/import`, document)).status, 202);
  const task = await until('the task to succeed', async () => {
    const [one] = await tasksOf(gateway, id);
    return one?.status === 'success' ? one : undefined;
  });
  return { id, task };
}

const tasksOf = async (gateway: TestGateway, id: string, token = alice): Promise<Document[]> =>
  (await gateway.ask(`/v2/images/${id}/tasks`, { token })).json().tasks as Document[];

const job = {
  type: 'import',
  input: {
    import_from: 'https://example.org/disk.img',
    import_from_format: 'raw',
    image_properties: { name: 'disk' },
  },
};

describe('tasks of an image', () => {
  test('show an import with everything there is to say', async (t) => {
    const gateway = await start(t);
    const { id, task } = await imported(gateway);
    const { id: taskId, request_id, created_at, updated_at, expires_at, ...rest } = task;
    for (const time of [created_at, updated_at, expires_at])
      assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.match(String(request_id), /^req-/);
    assert.match(String(taskId), /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      image_id: id,
      user_id: 'alice',
      type: 'api_image_import',
      status: 'success',
      owner: 'red',
      input: {
        image_id: id,
        import_req: {
          method: { name: 'glance-direct' },
          stores: ['file'],
          all_stores_must_succeed: true,
        },
        backend: ['file'],
      },
      result: { image_id: id },
      message: '',
      deleted: false,
      deleted_at: null,
    });
  });

  test('are for their own project and administrators, of whom can see the image', async (t) => {
    const gateway = await start(t);
    const { id } = await imported(gateway);
    assert.equal((await tasksOf(gateway, id, admin)).length, 1);
    assert.deepEqual(await tasksOf(gateway, id, bob), []);
    await gateway.patch(`/v2/images/${id}`, [
      { op: 'replace', path: '/visibility', value: 'private' },
    ]);
    const path = `/v2/images/${id}/tasks`;
    assert.equal((await gateway.ask(path, { token: bob })).status, 404);
  });

  test('fail with the image that is deleted during its import', async (t) => {
    const gateway = await startGateway(t, {
      worker: false,
      change: (ports) => ({ ...ports, importMethods: ['glance-direct'] }),
    });
    const id = await gateway.create(rawFormat);
    const put = { method: 'PUT', headers: octets, body: Buffer.from('bytes') };
    await gateway.ask(`/v2/images/${id}/stage`, put);
    await gateway.send('POST', `/v2/images/${id}/import`, { method: { name: 'glance-direct' } });
    const [{ id: taskId } = { id: '' }] = await tasksOf(gateway, id);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    const shown = (await gateway.ask(`/v2/tasks/${taskId}`, { token: admin })).json();
    assert.equal(shown.status, 'failure');
    assert.match(String(shown.message), /deleted/);
  });
});

describe('/v2/tasks', () => {
  const asAdmin = (gateway: TestGateway, path: string, method = 'GET') =>
    gateway.ask(path, { token: admin, method });

  test('lists and shows tasks to administrators only', async (t) => {
    const gateway = await start(t);
    const { id, task } = await imported(gateway);
    const listed = (await asAdmin(gateway, '/v2/tasks')).json();
    const [one] = listed.tasks as Document[];
    const whole = (await asAdmin(gateway, `/v2/tasks/${task.id}`)).json();
    for (const name of ['input', 'result', 'message']) {
      assert.equal(name in whole, true);
      assert.equal(name in (one ?? {}), false);
    }
    for (const shown of [one, whole]) {
      assert.equal(shown?.image_id, id);
      assert.equal(shown?.self, `/v2/tasks/${task.id}`);
      assert.equal(shown?.schema, '/v2/schemas/task');
      assert.match(String(shown?.expires_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
    assert.deepEqual([listed.first, listed.schema], ['/v2/tasks', '/v2/schemas/tasks']);
    for (const path of ['/v2/tasks', `/v2/tasks/${task.id}`])
      assert.equal((await gateway.ask(path)).status, 403);
    for (const unknown of [randomUUID(), 'no-uuid', '%00'])
      assert.equal((await asAdmin(gateway, `/v2/tasks/${unknown}`)).status, 404);
  });

  test('pages through links that keep their filters, to an end', async (t) => {
    const gateway = await start(t);
    for (let count = 0; count < 5; count += 1) await gateway.send('POST', '/v2/tasks', job, admin);
    const seen: unknown[] = [];
    let next = '/v2/tasks?limit=2&type=import&status=failure&sort_key=created_at&sort_dir=asc';
    while (next !== '') {
      const page = (await asAdmin(gateway, next)).json();
      seen.push(...(page.tasks as Document[]).map(({ id }) => id));
      next = String(page.next ?? '');
    }
    assert.equal(seen.length, 5);
    assert.equal(new Set(seen).size, 5);
    assert.deepEqual((await asAdmin(gateway, '/v2/tasks?status=success')).json().tasks, []);
    for (const query of ['marker=nothing', `marker=${randomUUID()}`, 'limit=-1', 'type=export'])
      assert.equal((await asAdmin(gateway, `/v2/tasks?${query}`)).status, 400);
  });

  test('takes an import that nobody can do here, and says so at once', async (t) => {
    const gateway = await start(t);
    const answer = await gateway.send('POST', '/v2/tasks', job, admin);
    assert.equal(answer.status, 201);
    const { id, status, message, owner, type, input } = answer.json();
    assert.equal(answer.headers.location, `${gateway.url}/v2/tasks/${id}`);
    assert.deepEqual([status, owner, type, input], ['failure', 'operations', 'import', job.input]);
    assert.match(String(message), /cannot fetch/);
    assert.deepEqual((await asAdmin(gateway, `/v2/tasks/${id}`)).json().status, 'failure');
    const { events } = await gateway.ports.log.readStream(`task-${id}`);
    assert.deepEqual(
      events.map((event) => event.type),
      ['TaskRequested', 'TaskStarted', 'TaskFailed'],
    );
    assert.equal(events[0]?.metadata.rule, 'tasks_api_access');
    assert.equal((await gateway.send('POST', '/v2/tasks', job)).status, 403);
  });

  for (const [what, document] of Object.entries({
    'a list': [],
    'no type': { input: job.input },
    'an unknown type': { ...job, type: 'export' },
    'no input': { type: 'import' },
    'no URL': { type: 'import', input: { ...job.input, import_from: undefined } },
    'a file': { type: 'import', input: { ...job.input, import_from: 'file:///etc/passwd' } },
    'a password': { type: 'import', input: { ...job.input, import_from: 'http://a:b@c/d' } },
    'an own address': {
      type: 'import',
      input: { ...job.input, import_from: 'http://127.0.0.1/d' },
    },
    'a port of others': {
      type: 'import',
      input: { ...job.input, import_from: 'http://c.org:22/d' },
    },
    'no properties': { type: 'import', input: { ...job.input, image_properties: 'x' } },
    'half a character': { type: 'import', input: { ...job.input, note: '\ud800' } },
  }))
    test(`refuses ${what} with 400`, async (t) => {
      const gateway = await start(t);
      assert.equal((await gateway.send('POST', '/v2/tasks', document, admin)).status, 400);
    });

  test('cannot be deleted', async (t) => {
    const gateway = await start(t);
    const answer = await asAdmin(gateway, `/v2/tasks/${randomUUID()}`, 'DELETE');
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET']);
  });
});
