import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { access } from '../../domain/image/access.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { admin, alice, bob, type GatewayOptions, startGateway } from '../support/gateway.ts';

const withPolicy = (rules: Readonly<Record<string, string>>): GatewayOptions => ({
  change: (ports) => ({ ...ports, access: access(parsePolicy(rules)) }),
});

describe("an operator's policy", () => {
  test('hides images from lists and by id, and pages go on behind them', async (t) => {
    const gateway = await startGateway(
      t,
      withPolicy({ get_image: "rule:context_is_admin or not 'secret':%(level)s" }),
    );
    const open = await gateway.create({ name: 'a' });
    const secret = await gateway.create({ name: 'b', level: 'secret' });
    const query = 'sort=name:asc&limit=1';
    const first = (await gateway.ask(`/v2/images?${query}`)).json();
    const second = (await gateway.ask(String(first.next))).json();
    assert.deepEqual(
      (first.images as { id: string }[]).map(({ id }) => id),
      [open],
    );
    assert.deepEqual(second.images, []);
    assert.equal(second.next, `/v2/images?${query.replace(':', '%3A')}&marker=${secret}`);
    assert.equal((await gateway.ask(`/v2/images/${secret}`)).status, 404);
    assert.equal((await gateway.ask(`/v2/images/${secret}`, { token: admin })).status, 200);
  });

  test('lets others publish, and refuses what the default one allows', async (t) => {
    const gateway = await startGateway(
      t,
      withPolicy({ publicize_image: 'role:member', delete_image: '!' }),
    );
    const id = await gateway.create({ visibility: 'public' });
    const remove = { method: 'DELETE', token: admin };
    assert.equal((await gateway.ask(`/v2/images/${id}`, remove)).status, 403);
  });

  test('shows nobody what is not theirs to see, however lax', async (t) => {
    const gateway = await startGateway(t, withPolicy({ get_image: '', delete_image: '' }));
    const id = await gateway.create();
    for (const method of ['GET', 'DELETE'])
      assert.equal((await gateway.ask(`/v2/images/${id}`, { method, token: bob })).status, 404);
    assert.equal((await gateway.ask(`/v2/images/${id}`, { token: alice })).status, 200);
  });
});

test('a token of a system or a domain is answered 403, whatever it asks for', async (t) => {
  const scoped: GatewayOptions = {
    change: (ports) => ({
      ...ports,
      identity: {
        identify: async () => ({
          userName: 'root',
          caller: {
            userId: 'root',
            projectId: null,
            systemScope: 'all',
            roles: ['admin', 'member', 'reader'],
          },
        }),
      },
    }),
  };
  const gateway = await startGateway(t, scoped);
  const id = '6f0d6d3e-8c0c-4ad5-9d0a-3a9b0c2f2d10';
  for (const [method, path] of [
    ['GET', '/v2/images'],
    ['GET', `/v2/images/${id}`],
    ['DELETE', `/v2/images/${id}`],
    ['GET', `/v2/images/${id}/file`],
    ['GET', `/v2/images/${id}/members`],
    ['GET', '/v2/cache'],
  ] as const)
    assert.equal((await gateway.ask(path, { method })).status, 403, `${method} ${path}`);
  assert.equal((await gateway.send('POST', '/v2/images', {})).status, 403);
  assert.equal((await gateway.ask('/v2/schemas/image')).status, 200);
});
