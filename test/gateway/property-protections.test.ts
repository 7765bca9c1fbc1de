import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { access } from '../../domain/image/access.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { parseProtections, protectionsBy } from '../../domain/property-protections/protections.ts';
import { openStream } from '../outside/sse.ts';
import { admin, alice, type GatewayOptions, startGateway } from '../support/gateway.ts';

const file = `
[^billing_]
create = admin,billing
read = admin,billing
update = admin,billing
delete = admin

[^note]
create = @
read = @
update = !
delete = !

[^x_]
create = @
read = @
update = @
delete = @
`;
const billing = 'bill:red:member,Billing';

const policy = parsePolicy(null);
const withProtections: GatewayOptions = {
  change: (ports) => ({
    ...ports,
    access: access(policy, protectionsBy(parseProtections(file, 'roles'), policy)),
  }),
};

interface Told {
  readonly data: { readonly properties: object };
}

const add = (name: string) => ({ op: 'add', path: `/${name}`, value: 'new' });
const replace = (name: string) => ({ op: 'replace', path: `/${name}`, value: 'new' });
const remove = (name: string) => ({ op: 'remove', path: `/${name}` });

describe('property protections', () => {
  test('leave what cannot be read out of every answer', async (t) => {
    const gateway = await startGateway(t, withProtections);
    const made = await gateway.send(
      'POST',
      '/v2/images',
      { owner: 'red', billing_code: '7', x_a: '1' },
      admin,
    );
    const path = `/v2/images/${made.json().id}`;
    const seenBy = async (token: string) => {
      const shown = (await gateway.ask(path, { token })).json();
      const [listed = {}] = (await gateway.ask('/v2/images', { token })).json().images as object[];
      const patched = (await gateway.patch(path, [add('x_b')], token)).json();
      return [shown, listed, patched].map((document) => 'billing_code' in document);
    };
    assert.equal(made.json().billing_code, '7');
    assert.deepEqual(await seenBy(alice), [false, false, false]);
    assert.deepEqual(await seenBy(billing), [true, true, true]);
    assert.equal((await gateway.ask(path, { token: admin })).json().billing_code, '7');
  });

  test('answer 403 to who may not create, update or delete, and change nothing', async (t) => {
    const gateway = await startGateway(t, withProtections);
    for (const name of ['billing_code', 'unknown'])
      assert.equal((await gateway.send('POST', '/v2/images', { [name]: '1' })).status, 403, name);
    const id = await gateway.create({ billing_code: '7', note: 'kept', x_a: '1' }, billing);
    const path = `/v2/images/${id}`;
    const refused: readonly (readonly [number, object, string])[] = [
      [403, add('unknown'), admin],
      [403, add('billing_other'), alice],
      [403, add('billing_code'), alice],
      [409, replace('billing_code'), alice],
      [409, remove('billing_code'), alice],
      [403, replace('note'), admin],
      [403, remove('note'), billing],
      [403, remove('billing_code'), billing],
    ];
    for (const [status, operation, token] of refused) {
      const answer = await gateway.patch(path, [replace('x_a'), operation], token);
      assert.equal(answer.status, status, JSON.stringify([operation, token]));
    }
    assert.equal((await gateway.ask(path)).json().x_a, '1');
    assert.equal((await gateway.patch(path, [replace('billing_code')], billing)).status, 200);
    assert.equal((await gateway.patch(path, [remove('billing_code')], admin)).status, 200);
  });

  test('let nobody find out by filters what cannot be read', async (t) => {
    const gateway = await startGateway(t, withProtections);
    const id = await gateway.create({ billing_code: '7', x_a: '1' }, billing);
    const found = async (query: string, token: string) =>
      ((await gateway.ask(`/v2/images?${query}`, { token })).json().images as { id: string }[]).map(
        (image) => image.id,
      );
    assert.deepEqual(await found('billing_code=7', alice), []);
    assert.deepEqual(await found('billing_code=7', billing), [id]);
    assert.deepEqual(await found('x_a=1', alice), [id]);
  });

  test('leave what cannot be read out of events, paged and streamed, by who asks', async (t) => {
    const gateway = await startGateway(t, withProtections);
    const id = await gateway.create(
      { billing_code: '7', x_a: '1', visibility: 'private' },
      billing,
    );
    await gateway.patch(`/v2/images/${id}`, [replace('billing_code'), replace('x_a')], billing);
    const created = { x_a: '1' };
    const changed = [{ property: 'x_a', from: '1', to: 'new' }];
    const hidden = { property: 'billing_code', from: '7', to: 'new' };
    for (const [token, ...expected] of [
      [alice, created, changed],
      [billing, { billing_code: '7', ...created }, [hidden, ...changed]],
      [admin, { billing_code: '7', ...created }, [hidden, ...changed]],
    ] as const) {
      const page = (await gateway.ask('/events/v1', { token })).json().events as readonly Told[];
      const properties = page.map(({ data }) => data.properties);
      assert.deepEqual(properties, expected, token);
      const past = await openStream(gateway.url, '/events/v1/stream?after=0', {
        'X-Auth-Token': token,
      });
      const streamed = (await past.until(expected.length)).map(({ document }) => document);
      past.close();
      assert.deepEqual(streamed, page, token);
    }
  });

  test('leave it out of events as they happen, from those that share the same memory', async (t) => {
    const gateway = await startGateway(t, withProtections);
    const listen = (token: string) =>
      openStream(gateway.url, '/events/v1/stream', { 'X-Auth-Token': token });
    const [plain, entitled] = await Promise.all([listen(alice), listen(billing)]);
    await gateway.create({ billing_code: '7', x_a: '1' }, billing);
    const told = async (stream: typeof plain) => {
      const [{ document } = { document: {} }] = await stream.until(1);
      stream.close();
      return (document as unknown as Told).data.properties;
    };
    assert.deepEqual(await told(plain), { x_a: '1' });
    assert.deepEqual(await told(entitled), { billing_code: '7', x_a: '1' });
  });

  test('have each refusal recorded with its rule', async (t) => {
    const gateway = await startGateway(t, withProtections);
    const id = await gateway.create({ billing_code: '7', note: 'kept' }, billing);
    await gateway.patch(`/v2/images/${id}`, [remove('note')]);
    await gateway.patch(`/v2/images/${id}`, [replace('billing_code')], 'other:red:member');
    const refused = (await gateway.ports.log.readAll(0n, 100)).filter(
      ({ type }) => type === 'RequestRefused',
    );
    assert.deepEqual(
      refused.map(({ data }) => [data.action, data.rule, data.target, data.code]),
      [
        ['PATCH /v2/images/:imageId', '^note:delete', id, 'not-allowed'],
        ['PATCH /v2/images/:imageId', '^billing_:read', id, 'property-missing'],
      ],
    );
  });
});
