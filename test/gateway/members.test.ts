import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';

const carol = 'carol:green:member';
const roleless = 'nina:blue:';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** The API of one image's members. */
const membersOf = (gateway: TestGateway, id: string) => {
  const path = `/v2/images/${id}/members`;
  return {
    path,
    list: (token?: string) => gateway.ask(path, token === undefined ? {} : { token }),
    show: (member: string, token = alice) => gateway.ask(`${path}/${member}`, { token }),
    add: (member: unknown, token = alice) => gateway.send('POST', path, { member }, token),
    answer: (member: string, status: unknown, token: string) =>
      gateway.send('PUT', `${path}/${member}`, { status }, token),
    remove: (member: string, token = alice) =>
      gateway.ask(`${path}/${member}`, { method: 'DELETE', token }),
  };
};

async function shared(gateway: TestGateway, ...projects: readonly string[]) {
  const id = await gateway.create({ name: 'shared' });
  const members = membersOf(gateway, id);
  for (const project of projects) assert.equal((await members.add(project)).status, 200);
  return { id, members };
}

const listed = async (gateway: TestGateway, query: string, token: string) =>
  (
    (await gateway.ask(`/v2/images?${query}`, { token })).json().images as readonly { id: string }[]
  ).map(({ id }) => id);

describe('members of an image', () => {
  test('are added as pending, shown, answered and taken off', async (t) => {
    const gateway = await startGateway(t);
    const { id, members } = await shared(gateway);
    const added = await members.add('blue');
    const { created_at, updated_at, ...rest } = added.json();
    assert.deepEqual(rest, {
      member_id: 'blue',
      image_id: id,
      status: 'pending',
      schema: '/v2/schemas/member',
    });
    assert.match(String(created_at), time);
    assert.match(String(updated_at), time);
    const answered = await members.answer('blue', 'accepted', bob);
    assert.equal(answered.status, 200);
    assert.equal(answered.json().status, 'accepted');
    assert.deepEqual((await members.show('blue')).json(), answered.json());
    assert.deepEqual((await members.list()).json(), {
      members: [answered.json()],
      schema: '/v2/schemas/members',
    });
    assert.equal((await members.remove('blue')).status, 204);
    assert.equal((await members.show('blue')).status, 404);
    assert.deepEqual((await members.list()).json().members, []);
    assert.equal((await members.add('blue')).json().status, 'pending');
    assert.deepEqual(await gateway.events(id), [
      'ImageCreated',
      'MemberAdded',
      'MemberStatusChanged',
      'MemberRemoved',
      'MemberAdded',
    ]);
  });

  test('see the image by id whatever they answered, and list it as they answered', async (t) => {
    const gateway = await startGateway(t);
    const { id, members } = await shared(gateway, 'blue');
    for (const status of ['pending', 'accepted', 'rejected']) {
      if (status !== 'pending') await members.answer('blue', status, bob);
      assert.equal((await gateway.ask(`/v2/images/${id}`, { token: bob })).status, 200);
      const byDefault = status === 'accepted' ? [id] : [];
      assert.deepEqual(await listed(gateway, '', bob), byDefault);
      assert.deepEqual(await listed(gateway, 'visibility=shared', bob), byDefault);
      for (const asked of ['pending', 'accepted', 'rejected', 'all']) {
        const expected = asked === status || asked === 'all' ? [id] : [];
        assert.deepEqual(await listed(gateway, `member_status=${asked}`, bob), expected, asked);
      }
    }
    assert.equal((await gateway.ask(`/v2/images/${id}`, { token: carol })).status, 404);
    assert.deepEqual(await listed(gateway, 'member_status=all', carol), []);
  });

  test('rest while the image is not shared', async (t) => {
    const gateway = await startGateway(t);
    const { id, members } = await shared(gateway, 'blue');
    const become = (visibility: string) =>
      gateway.patch(`/v2/images/${id}`, [
        { op: 'replace', path: '/visibility', value: visibility },
      ]);
    await become('private');
    assert.deepEqual(
      [
        (await gateway.ask(`/v2/images/${id}`, { token: bob })).status,
        (await members.list(bob)).status,
        (await members.list()).status,
        (await members.show('blue')).status,
        (await members.add('green')).status,
        (await members.answer('blue', 'accepted', bob)).status,
        (await members.answer('blue', 'accepted', admin)).status,
        (await members.remove('blue')).status,
      ],
      [404, 404, 403, 404, 403, 404, 403, 403],
    );
    await become('community');
    assert.deepEqual(
      [
        (await members.list(bob)).status,
        (await members.show('blue', bob)).status,
        (await members.answer('blue', 'accepted', bob)).status,
      ],
      [403, 404, 403],
    );
    await become('shared');
    assert.equal((await members.show('blue', bob)).json().status, 'pending');
  });

  test('know of themselves only, while the owner and administrators know of all', async (t) => {
    const gateway = await startGateway(t);
    const { members } = await shared(gateway, 'blue', 'green');
    const known = async (token: string) =>
      ((await members.list(token)).json().members as { member_id: string }[]).map(
        ({ member_id }) => member_id,
      );
    for (const token of [alice, reader, admin])
      assert.deepEqual(await known(token), ['blue', 'green']);
    assert.deepEqual(await known(bob), ['blue']);
    assert.equal((await members.show('blue', bob)).status, 200);
    assert.equal((await members.show('green', bob)).status, 404);
    assert.equal((await members.answer('green', 'accepted', bob)).status, 404);
    assert.equal((await members.remove('green', bob)).status, 403);
    assert.equal((await members.list(roleless)).status, 404);
  });

  test('are the owner’s to choose, and answer for themselves', async (t) => {
    const gateway = await startGateway(t);
    const { members } = await shared(gateway, 'blue');
    assert.equal((await members.answer('blue', 'accepted', alice)).status, 403);
    assert.equal((await members.answer('blue', 'accepted', reader)).status, 403);
    assert.equal((await members.answer('blue', 'accepted', 'b:blue:reader')).status, 403);
    assert.equal((await members.answer('blue', 'rejected', admin)).json().status, 'rejected');
    assert.equal((await members.add('green', bob)).status, 403);
    assert.equal((await members.add('green', reader)).status, 403);
    assert.equal((await members.add('green', carol)).status, 404);
    assert.equal((await members.remove('blue', bob)).status, 403);
    assert.equal((await members.add('violet', admin)).status, 200);
    assert.equal((await members.add('red')).status, 200, 'the owner itself');
  });

  test('may be 128, each once', async (t) => {
    const gateway = await startGateway(t);
    const { members } = await shared(gateway);
    for (let number = 0; number < 127; number += 1)
      assert.equal((await members.add(`project-${number}`)).status, 200);
    assert.equal((await members.add('project-0')).status, 409);
    assert.equal((await members.add('the last one')).status, 200);
    assert.equal((await members.add('one too many')).status, 413);
  });

  test('are refused in other forms with 400, before the image is looked for', async (t) => {
    const gateway = await startGateway(t);
    for (const id of [(await shared(gateway, 'blue')).id, randomUUID()]) {
      const { path } = membersOf(gateway, id);
      for (const document of [{}, { member: '' }, { member: null }, { member: 7 }, ['blue'], []])
        assert.equal((await gateway.send('POST', path, document)).status, 400);
      for (const member of ['x'.repeat(256), 'a\0b', '\ud800'])
        assert.equal((await gateway.send('POST', path, { member })).status, 400);
      for (const document of [{}, { status: '' }, { status: 'maybe' }, { status: 1 }, ['accepted']])
        assert.equal((await gateway.send('PUT', `${path}/blue`, document, bob)).status, 400);
      assert.equal((await gateway.ask(path, { method: 'POST' })).status, 400);
      assert.equal((await gateway.ask(path, { body: '{}' })).status, 400);
    }
  });

  test('of what is unknown or gone answer 404, and other methods 405', async (t) => {
    const gateway = await startGateway(t);
    const { id, members } = await shared(gateway, 'blue');
    assert.equal((await members.show('nobody')).status, 404);
    assert.equal((await members.answer('nobody', 'accepted', alice)).status, 403);
    assert.equal((await members.answer('nobody', 'accepted', admin)).status, 404);
    assert.equal((await members.remove('nobody')).status, 404);
    assert.equal((await gateway.ask(members.path, { method: 'PUT' })).status, 405);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    for (const answer of [
      await members.list(),
      await members.show('blue'),
      await members.add('green'),
      await members.answer('blue', 'accepted', bob),
      await members.remove('blue'),
    ])
      assert.equal(answer.status, 404);
  });
});

test('the schemas of members are as clients know them', async (t) => {
  const gateway = await startGateway(t);
  const member = (await gateway.ask('/v2/schemas/member')).json();
  assert.equal(member.name, 'member');
  assert.deepEqual(Object.keys(member).sort(), ['name', 'properties']);
  assert.deepEqual(Object.keys(member.properties as object).sort(), [
    'created_at',
    'image_id',
    'member_id',
    'schema',
    'status',
    'updated_at',
  ]);
  const members = (await gateway.ask('/v2/schemas/members')).json();
  assert.deepEqual((members.properties as { members: { items: object } }).members.items, member);
});
