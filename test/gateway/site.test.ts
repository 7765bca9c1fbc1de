import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, alice, bob, reader, startGateway } from '../support/gateway.ts';

test('a site without import methods says so', async (t) => {
  const gateway = await startGateway(t);
  const answer = await gateway.ask('/v2/info/import', { token: alice });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json(), {
    'import-methods': {
      description: 'Import methods available.',
      type: 'array',
      value: [],
    },
  });
});

test('a site with one store knows no stores to choose from', async (t) => {
  const gateway = await startGateway(t);
  const image = '00000000-0000-4000-8000-000000000000';
  const statusOf = async (path: string, token: string, method = 'GET') =>
    (await gateway.ask(path, { token, method })).status;
  assert.equal(await statusOf('/v2/info/stores', alice), 404);
  assert.equal(await statusOf('/v2/info/stores/detail', alice), 403);
  assert.equal(await statusOf('/v2/info/stores/detail', admin), 404);
  assert.equal(await statusOf(`/v2/stores/file/${image}`, admin, 'DELETE'), 404);
});

test('without unified limits there is no usage to tell', async (t) => {
  const gateway = await startGateway(t);
  const answer = await gateway.ask('/v2/info/usage', { token: alice });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json(), { usage: {} });
});

test('without a cache its calls are 403 for users and 404 for administrators', async (t) => {
  const gateway = await startGateway(t);
  const image = '00000000-0000-4000-8000-000000000000';
  for (const [method, path] of [
    ['GET', '/v2/cache'],
    ['DELETE', '/v2/cache'],
    ['PUT', `/v2/cache/${image}`],
    ['DELETE', `/v2/cache/${image}`],
    ['GET', `/v2/cache/nodes/${image}`],
    ['POST', '/v2/cache/clean'],
    ['POST', '/v2/cache/prune'],
  ] as const)
    for (const [token, status] of [
      [alice, 403],
      [admin, 404],
    ] as const)
      assert.equal(
        (await gateway.ask(path, { method, token })).status,
        status,
        `${method} ${path}`,
      );
});

test('the tasks of an image are there for who can see the image', async (t) => {
  const gateway = await startGateway(t);
  const path = `/v2/images/${await gateway.create({ visibility: 'private' })}/tasks`;
  for (const token of [alice, reader, admin]) {
    const answer = await gateway.ask(path, { token });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json(), { tasks: [] });
  }
  assert.equal((await gateway.ask(path, { token: bob })).status, 404);
});
