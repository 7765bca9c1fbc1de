import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { admin, bob, reader, startGateway } from '../support/gateway.ts';

const v21 = 'application/openstack-images-v2.1-json-patch';
const v20 = 'application/openstack-images-v2.0-json-patch';

describe('PATCH /v2/images/{id}', () => {
  test('changes fields and properties in one save and answers 200 with the image', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ name: 'old', a: '1', b: '2' });
    const patched = await gateway.patch(`/v2/images/${id}`, [
      { op: 'replace', path: '/name', value: 'new' },
      { op: 'add', path: '/tags', value: ['t', 't'] },
      { op: 'replace', path: '/a', value: '3' },
      { op: 'remove', path: '/b' },
      { op: 'add', path: '/x~1y ', value: 'z' },
      { op: 'add', path: '/visibility', value: 'private' },
    ]);
    assert.equal(patched.status, 200, patched.text);
    const { name, tags, a, b, visibility, 'x/y': slashed } = patched.json();
    assert.deepEqual(
      { name, tags, a, b, visibility, slashed },
      { name: 'new', tags: ['t'], a: '3', b: undefined, visibility: 'private', slashed: 'z' },
    );
    assert.deepEqual((await gateway.ask(`/v2/images/${id}`)).json(), patched.json());
  });

  test('answers 200 to an empty patch and saves nothing', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    const head = await gateway.ports.log.head();
    assert.equal((await gateway.patch(`/v2/images/${id}`, [])).status, 200);
    assert.equal(await gateway.ports.log.head(), head);
    assert.equal((await gateway.patch(`/v2/images/${id}`, [], reader)).status, 200);
    assert.equal((await gateway.patch(`/v2/images/${id}`, [], bob)).status, 404);
  });

  test('overwrites a property by add in 2.1, refuses that with 409 in 2.0', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ a: '1' });
    const path = `/v2/images/${id}`;
    const added = await gateway.patch(path, [{ op: 'add', path: '/a', value: '2' }]);
    assert.equal(added.status, 200);
    const old = await gateway.ask(path, {
      method: 'PATCH',
      headers: { 'Content-Type': `${v20}; charset=utf-8` },
      body: JSON.stringify([{ add: '/a', value: '3' }]),
    });
    assert.equal(old.status, 409);
    assert.equal((await gateway.ask(path)).json().a, '2');
  });

  for (const type of ['application/json-patch+json', 'application/json', undefined])
    test(`refuses Content-Type ${type} with 415 and names what will do`, async (t) => {
      const gateway = await startGateway(t);
      const answer = await gateway.ask(`/v2/images/${await gateway.create()}`, {
        method: 'PATCH',
        headers: type === undefined ? {} : { 'Content-Type': type },
        body: '[]',
      });
      assert.equal(answer.status, 415);
      assert.equal(answer.headers['accept-patch'], `${v20}, ${v21}`);
    });

  const add = (path: unknown, value: unknown) => ({ op: 'add', path, value });
  const refused: readonly (readonly [number, string, unknown])[] = [
    [400, 'a document that is no array', {}],
    [400, 'an element that is no object', ['x']],
    [400, 'an unknown operation', [{ op: 'move', path: '/a', from: '/b' }]],
    [400, 'no operation', [{ path: '/a', value: 'x' }]],
    [400, 'no path', [{ op: 'add', value: 'x' }]],
    [400, 'a path that is no text', [add(5, 'x')]],
    [400, 'a path without a slash', [add('a', 'x')]],
    [400, 'an empty path', [add('', 'x')]],
    [400, 'a lone slash', [add('/', 'x')]],
    [400, 'a trailing slash', [add('/a/', 'x')]],
    [400, 'an empty segment', [add('/a//b', 'x')]],
    [400, 'a stray tilde', [add('/a~2', 'x')]],
    [400, 'a path of two levels', [add('/tags/-', 'x')]],
    [400, 'replacing one location', [{ op: 'replace', path: '/locations/0', value: {} }]],
    [400, 'no value', [{ op: 'add', path: '/a' }]],
    [400, 'a value of the wrong type', [add('/protected', 'yes')]],
    [400, 'a custom value that is no string', [add('/a', 1)]],
    [400, 'a custom value that is null', [add('/a', null)]],
    [400, 'a property name above 255 characters', [add(`/${'x'.repeat(256)}`, 'x')]],
    [400, 'a NUL character in a value', [add('/a', '\0')]],
    [400, 'a NUL character in a name', [add('/a\0', 'x')]],
    [400, 'a min_ram below 0', [add('/min_ram', -1)]],
    [403, 'a read-only field', [add('/status', 'active')]],
    [403, 'a read-only field even wrongly typed', [add('/size', 'x')]],
    [403, 'removing a read-only field', [{ op: 'remove', path: '/checksum' }]],
    [403, 'stores', [add('/stores', 'x')]],
    [403, 'a reserved name', [add('/deleted', 'x')]],
    [403, 'a name of the server’s own', [add('/os_glance_failed_upload', 'x')]],
    [403, 'removing a base field', [{ op: 'remove', path: '/name' }]],
    [403, 'adding a location', [add('/locations/-', { url: 'http://x/', metadata: {} })]],
    [403, 'replacing the locations', [{ op: 'replace', path: '/locations', value: [] }]],
    [403, 'another owner', [add('/owner', 'blue')]],
    [403, 'public', [add('/visibility', 'public')]],
    [409, 'replacing a property that is missing', [{ op: 'replace', path: '/z', value: 'x' }]],
    [409, 'removing a property that is missing', [{ op: 'remove', path: '/__proto__' }]],
    [413, 'thousands of operations', Array.from({ length: 1025 }, () => add('/a', 'x'))],
  ];
  for (const [status, what, operations] of refused)
    test(`refuses ${what} with ${status} and changes nothing`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.create({ name: 'same' });
      const before = (await gateway.ask(`/v2/images/${id}`)).json();
      const whole = Array.isArray(operations)
        ? [{ op: 'replace', path: '/name', value: 'other' }, ...operations]
        : operations;
      const answer = await gateway.patch(`/v2/images/${id}`, whole);
      assert.equal(answer.status, status, answer.text);
      assert.deepEqual((await gateway.ask(`/v2/images/${id}`)).json(), before);
    });

  test('answers 404 where the caller sees nothing, 403 where it may not change', async (t) => {
    const gateway = await startGateway(t);
    const mine = await gateway.create();
    const everybodys = await gateway.create({ visibility: 'public' }, admin);
    const change = [{ op: 'replace', path: '/name', value: 'x' }];
    assert.equal((await gateway.patch(`/v2/images/${mine}`, change, bob)).status, 404);
    assert.equal((await gateway.patch(`/v2/images/${everybodys}`, change, bob)).status, 403);
    assert.equal((await gateway.patch(`/v2/images/${mine}`, change, reader)).status, 403);
    assert.equal((await gateway.patch(`/v2/images/${randomUUID()}`, change)).status, 404);
  });

  test('lets an administrator give the image to another project', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    const given = await gateway.patch(
      `/v2/images/${id}`,
      [{ op: 'replace', path: '/owner', value: 'blue' }],
      admin,
    );
    assert.equal(given.json().owner, 'blue');
    assert.equal((await gateway.ask(`/v2/images/${id}`)).status, 404);
  });
});

describe('DELETE /v2/images/{id}', () => {
  test('answers 204 without a body, then 404', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.create()}`;
    const deleted = await gateway.ask(path, { method: 'DELETE' });
    assert.equal(deleted.status, 204);
    assert.equal(deleted.text, '');
    assert.equal((await gateway.ask(path)).status, 404);
    assert.equal((await gateway.ask(path, { method: 'DELETE' })).status, 404);
  });

  test('refuses a protected image with 403, until it is protected no more', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.create({ protected: true })}`;
    assert.equal((await gateway.ask(path, { method: 'DELETE' })).status, 403);
    await gateway.patch(path, [{ op: 'replace', path: '/protected', value: false }]);
    assert.equal((await gateway.ask(path, { method: 'DELETE' })).status, 204);
  });

  test('refuses what is not the caller’s: 404 unseen, 403 seen; and a body with 400', async (t) => {
    const gateway = await startGateway(t);
    const mine = `/v2/images/${await gateway.create()}`;
    const everybodys = `/v2/images/${await gateway.create({ visibility: 'public' }, admin)}`;
    assert.equal((await gateway.ask(mine, { method: 'DELETE', token: bob })).status, 404);
    assert.equal((await gateway.ask(everybodys, { method: 'DELETE', token: bob })).status, 403);
    assert.equal((await gateway.ask(mine, { method: 'DELETE', body: 'x' })).status, 400);
    assert.equal((await gateway.ask(mine)).status, 200);
  });
});

describe('tags of an image', () => {
  test('are put and deleted one by one, with any text in them', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.create()}`;
    const tag = 'ä/b c';
    const tagPath = `${path}/tags/${encodeURIComponent(tag)}`;
    for (const _ of [1, 2])
      assert.equal((await gateway.ask(tagPath, { method: 'PUT' })).status, 204);
    assert.deepEqual((await gateway.ask(path)).json().tags, [tag]);
    assert.equal((await gateway.ask(tagPath, { method: 'DELETE' })).status, 204);
    assert.deepEqual((await gateway.ask(path)).json().tags, []);
    assert.equal((await gateway.ask(tagPath, { method: 'DELETE' })).status, 404);
  });

  test('are refused: too long 400, with a body 400, NUL 400, above the quota 413', async (t) => {
    const gateway = await startGateway(t);
    const tags = Array.from({ length: 128 }, (_, index) => `t${index}`);
    const path = `/v2/images/${await gateway.create({ tags })}/tags`;
    const put = async (tag: string, body?: string) =>
      (await gateway.ask(`${path}/${tag}`, { method: 'PUT', ...(body ? { body } : {}) })).status;
    assert.equal(await put('x'.repeat(256)), 400);
    assert.equal(await put('t1', '{}'), 400);
    assert.equal(await put('a%00b'), 400);
    assert.equal(await put('%ff'), 400);
    assert.equal(await put('one-more'), 413);
    assert.equal(await put('t1'), 204);
  });
});

describe('actions on an image', () => {
  test('are refused with 403 while it is queued, 404 unseen, 400 with a body', async (t) => {
    const gateway = await startGateway(t);
    const path = `/v2/images/${await gateway.create()}/actions`;
    for (const action of ['deactivate', 'reactivate']) {
      const post = async (token: string | undefined, body?: string) =>
        (
          await gateway.ask(`${path}/${action}`, {
            method: 'POST',
            ...(token ? { token } : {}),
            ...(body ? { body } : {}),
          })
        ).status;
      assert.equal(await post(undefined), 403);
      assert.equal(await post(bob), 404);
      assert.equal(await post(undefined, '{}'), 400);
    }
  });
});
