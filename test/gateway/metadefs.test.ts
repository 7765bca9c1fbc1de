import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';

const base = '/v2/metadefs/namespaces';
const path = (...names: readonly string[]): string =>
  [base, ...names.map(encodeURIComponent)].join('/');

const cpu = {
  namespace: 'OS::Compute::CPU',
  display_name: 'CPU',
  description: 'About processors',
  visibility: 'public',
  resource_type_associations: [
    { name: 'OS::Glance::Image', prefix: 'hw_' },
    { name: 'OS::Nova::Flavor', prefix: 'hw:', properties_target: 'extra' },
  ],
  properties: {
    cores: { title: 'Cores', type: 'integer', minimum: 1, default: 2 },
    policy: { title: 'Policy', type: 'string', enum: ['shared', 'dedicated'] },
  },
  objects: [
    {
      name: 'Topology of it',
      description: 'sockets and such',
      required: ['sockets'],
      properties: { sockets: { title: 'Sockets', type: 'integer' } },
    },
  ],
  tags: [{ name: 'numa' }, { name: 'pinning' }],
};

const asAdmin = (gateway: TestGateway) => ({
  send: (method: string, to: string, document: unknown) =>
    gateway.send(method, to, document, admin),
  get: (to: string) => gateway.ask(to, { token: admin }),
  delete: (to: string) => gateway.ask(to, { method: 'DELETE', token: admin }),
  post: (to: string, headers = {}) => gateway.ask(to, { method: 'POST', token: admin, headers }),
});

async function started(t: TestContext, ...documents: readonly object[]) {
  const gateway = await startGateway(t);
  const root = asAdmin(gateway);
  for (const document of documents) {
    const answer = await root.send('POST', base, document);
    assert.equal(answer.status, 201, answer.text);
  }
  return { gateway, root };
}

test('a namespace comes back as it was sent, with what the server adds', async (t) => {
  const { root } = await started(t, cpu);
  const shown = (await root.get(path(cpu.namespace))).json();
  const { created_at, updated_at, objects, resource_type_associations, tags, ...rest } = shown;
  assert.match(String(created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(updated_at, created_at);
  assert.deepEqual(rest, {
    namespace: cpu.namespace,
    display_name: 'CPU',
    description: 'About processors',
    visibility: 'public',
    protected: false,
    owner: 'operations',
    properties: cpu.properties,
    self: '/v2/metadefs/namespaces/OS::Compute::CPU',
    schema: '/v2/schemas/metadefs/namespace',
  });
  assert.deepEqual(tags, [{ name: 'pinning' }, { name: 'numa' }]);
  assert.deepEqual(objects, [
    {
      ...cpu.objects[0],
      created_at,
      updated_at,
      self: '/v2/metadefs/namespaces/OS::Compute::CPU/objects/Topology of it',
      schema: '/v2/schemas/metadefs/object',
    },
  ]);
  assert.deepEqual(
    resource_type_associations,
    cpu.resource_type_associations.map((one) => ({ ...one, created_at, updated_at })),
  );
});

test('names of any script, with slashes, percent signs and spaces, are names', async (t) => {
  const names = [
    'a/b',
    '100%',
    '50%25',
    'ÜBER größe',
    '日本語',
    '🙂'.repeat(80),
    "it's (a) *.~!",
    '%2F',
  ];
  const { gateway, root } = await started(t, ...names.map((namespace) => ({ namespace })));
  for (const name of names) {
    const shown = (await root.get(path(name))).json();
    assert.equal(shown.namespace, name);
    assert.equal(
      (await root.get(String(shown.self).replace(/[^\x20-\x7e]+| /g, encodeURIComponent))).json()
        .namespace,
      name,
    );
    assert.equal((await root.post(path(name, 'tags', name))).status, 201);
    assert.equal((await root.get(path(name, 'tags', name))).json().name, name);
    const property = { name, title: name, type: 'string' };
    assert.equal((await root.send('POST', path(name, 'properties'), property)).status, 201);
    assert.deepEqual((await root.get(path(name, 'properties', name))).json(), property);
    assert.equal((await root.delete(path(name, 'properties', name))).status, 204);
  }
  const page = (
    await gateway.ask(`${base}?limit=3&sort_key=namespace&sort_dir=asc`, { token: admin })
  ).json();
  assert.deepEqual(
    (page.namespaces as { namespace: string }[]).map(({ namespace }) => namespace),
    [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).slice(0, 3),
  );
  assert.equal((await root.get(String(page.next))).status, 200);
});

test('a namespace of 2,000 properties comes and goes', async (t) => {
  const properties = Object.fromEntries(
    Array.from({ length: 2000 }, (_, index) => [
      `property ${index}`,
      { title: `Property ${index}`, type: 'string', description: 'x'.repeat(200) },
    ]),
  );
  const { root } = await started(t, { namespace: 'large', properties });
  assert.deepEqual((await root.get(path('large', 'properties'))).json(), { properties });
  const one = { name: 'property 7', title: 'Seven', type: 'integer' };
  assert.equal((await root.send('PUT', path('large', 'properties', one.name), one)).status, 200);
  assert.deepEqual((await root.get(path('large', 'properties', one.name))).json(), one);
  assert.equal((await root.delete(path('large', 'properties'))).status, 204);
  assert.deepEqual((await root.get(path('large', 'properties'))).json(), { properties: {} });
  assert.equal((await root.delete(path('large'))).status, 204);
  assert.equal((await root.get(path('large'))).status, 404);
});

test('a namespace that is renamed keeps all that it has, and its old name is free', async (t) => {
  const { gateway, root } = await started(t, cpu);
  const renamed = await root.send('PUT', path(cpu.namespace), {
    namespace: 'new name',
    display_name: 'Renamed',
  });
  assert.equal(renamed.status, 200, renamed.text);
  assert.equal(renamed.json().visibility, 'private');
  assert.equal(renamed.json().description, undefined);
  assert.equal((await root.get(path(cpu.namespace))).status, 404);
  assert.deepEqual((await root.get(path('new name'))).json().properties, cpu.properties);
  assert.equal((await root.send('POST', base, cpu)).status, 201);
  assert.equal(
    (await root.send('PUT', path('new name'), { namespace: cpu.namespace })).status,
    409,
  );
  assert.equal((await root.delete(path(cpu.namespace))).status, 204);
  const back = await root.send('PUT', path('new name'), { namespace: cpu.namespace });
  assert.equal(back.status, 200, back.text);
  const facts = (await gateway.ports.log.readAll(0n, 1000))
    .filter(({ streamId }) => streamId.startsWith('metadef-'))
    .map(({ streamId, type }) => [streamId, type]);
  const [first] = facts;
  assert.deepEqual(
    facts.filter(([stream]) => stream === first?.[0]).map(([, type]) => type),
    [
      'MetadefNamespaceCreated',
      // What takes it from sight comes first.
      'MetadefNamespaceUpdated',
      'MetadefNamespaceUpdated',
      'MetadefNamespaceRenamed',
      'MetadefNamespaceUpdated',
      'MetadefNamespaceRenamed',
    ],
  );
});

test('of many that create or take one name at once, one does', async (t) => {
  const { root } = await started(t, { namespace: 'other' }, { namespace: 'another' });
  const answers = await Promise.all([
    ...Array.from({ length: 6 }, (_, index) =>
      root.send('POST', base, { namespace: 'wanted', display_name: `${index}` }),
    ),
    root.send('PUT', path('other'), { namespace: 'wanted' }),
    root.send('PUT', path('another'), { namespace: 'wanted' }),
  ]);
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(
    [statuses.filter((status) => status < 300).length, statuses.filter((s) => s === 409).length],
    [1, 7],
    JSON.stringify(answers.map(({ status, text }) => [status, text])),
  );
  const listed = (await root.get(base)).json().namespaces as { namespace: string }[];
  assert.equal(listed.filter(({ namespace }) => namespace === 'wanted').length, 1);
});

test('edits of one namespace at once are all kept', async (t) => {
  const { root } = await started(t, cpu);
  const names = Array.from({ length: 20 }, (_, index) => `tag ${index}`);
  const answers = await Promise.all(
    names.map((name) => root.post(path(cpu.namespace, 'tags', name))),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  const { tags } = (await root.get(path(cpu.namespace, 'tags'))).json() as {
    tags: { name: string }[];
  };
  assert.deepEqual(tags.map(({ name }) => name).sort(), [...names, 'numa', 'pinning'].sort());
});

test('a claim that came to nothing does not keep its name', async (t) => {
  const { gateway, root } = await started(t);
  const { log } = gateway.ports;
  const event = (type: string, data: object) => ({
    id: crypto.randomUUID(),
    type,
    schemaVersion: 1,
    data: data as never,
    metadata: {
      actor: { kind: 'system', part: 'test' } as const,
      requestId: 'req-1',
      causationId: '1',
      correlationId: '1',
    },
  });
  const claim = { name: 'wanted', claimId: 'dead', namespaceId: 'nobody', supersedes: null };
  await log.append('metadefname-wanted', [event('MetadefNameClaimed', claim)], -1);
  assert.equal((await root.get(path('wanted'))).status, 404);
  assert.equal((await root.send('POST', base, { namespace: 'wanted' })).status, 201);
  const abandoned = await log.readStream('metadef-nobody');
  assert.deepEqual(
    abandoned.events.map(({ type }) => type),
    ['MetadefNameClaimAbandoned'],
  );
});

test('who may not see a namespace is told that there is none', async (t) => {
  const { gateway } = await started(
    t,
    { namespace: 'mine', owner: 'red' },
    { namespace: 'everybody', visibility: 'public' },
  );
  const status = async (token: string, ...names: string[]) =>
    (await gateway.ask(path(...names), { token })).status;
  for (const token of [alice, reader]) assert.equal(await status(token, 'mine'), 200);
  for (const part of [[], ['objects'], ['properties'], ['tags'], ['resource_types']]) {
    assert.equal(await status(bob, 'mine', ...part), 404);
    assert.equal(await status(bob, 'everybody', ...part), 200);
  }
  const names = async (token: string) =>
    ((await gateway.ask(base, { token })).json().namespaces as { namespace: string }[])
      .map(({ namespace }) => namespace)
      .sort();
  assert.deepEqual(await names(alice), ['everybody', 'mine']);
  assert.deepEqual(await names(bob), ['everybody']);
  assert.deepEqual(await names(admin), ['everybody', 'mine']);
  assert.equal((await gateway.ask(`${base}?marker=mine`, { token: bob })).status, 404);
});

test('nobody but an administrator writes, and the refusal is recorded with its target', async (t) => {
  const { gateway } = await started(t, { ...cpu, owner: 'red' });
  const writes: readonly (readonly [string, string, unknown?])[] = [
    ['POST', base, { namespace: 'own' }],
    ['PUT', path(cpu.namespace), { namespace: cpu.namespace }],
    ['DELETE', path(cpu.namespace)],
    ['DELETE', path(cpu.namespace, 'objects')],
    ['DELETE', path(cpu.namespace, 'tags')],
    ['POST', path(cpu.namespace, 'objects'), { name: 'x' }],
    ['PUT', path(cpu.namespace, 'objects', 'Topology of it'), { name: 'x' }],
    ['DELETE', path(cpu.namespace, 'objects', 'Topology of it')],
    ['POST', path(cpu.namespace, 'properties'), { name: 'x', title: 'x', type: 'string' }],
    ['DELETE', path(cpu.namespace, 'properties', 'cores')],
    ['POST', path(cpu.namespace, 'tags'), { tags: [] }],
    ['POST', path(cpu.namespace, 'tags', 'x')],
    ['POST', path(cpu.namespace, 'resource_types'), { name: 'x' }],
    ['DELETE', path(cpu.namespace, 'resource_types', 'OS::Nova::Flavor')],
  ];
  for (const [method, to, document] of writes) {
    const body = document === undefined ? {} : { body: JSON.stringify(document) };
    const answer = await gateway.ask(to, { method, token: alice, ...body });
    assert.equal(answer.status, 403, `${method} ${to}: ${answer.text}`);
  }
  const refused = (await gateway.ports.log.readAll(0n, 1000))
    .filter(({ type }) => type === 'RequestRefused')
    .map(({ data }) => [data.rule, data.target]);
  assert.equal(refused.length, writes.length);
  assert.deepEqual(refused.slice(0, 2), [
    ['add_metadef_namespace', null],
    ['modify_metadef_namespace', cpu.namespace],
  ]);
});

test('what cannot be is refused before anything is looked for', async (t) => {
  const { gateway, root } = await started(t);
  let deep: unknown = 1;
  for (let depth = 0; depth < 500; depth += 1) deep = [deep];
  const property = { name: 'x', title: 'x', type: 'string' };
  const bad: readonly (readonly [string, unknown, number?])[] = [
    ['', {}],
    ['', { namespace: '' }],
    ['', { namespace: 'x'.repeat(81) }],
    ['', { namespace: 'a\0b' }],
    ['', { namespace: '\ud800' }],
    ['', { namespace: 7 }],
    ['', { namespace: 'x', display_name: 'x'.repeat(81) }],
    ['', { namespace: 'x', description: 'x'.repeat(501) }],
    ['', { namespace: 'x', owner: 'x'.repeat(256) }],
    ['', { namespace: 'x', owner: null }],
    ['', { namespace: 'x', visibility: 'shared' }],
    ['', { namespace: 'x', protected: 'yes' }],
    ['', { namespace: 'x', colour: 'red' }],
    ['', { namespace: 'x', properties: { y: { title: 'y' } } }],
    ['', { namespace: 'x', properties: { ['y'.repeat(81)]: { title: 'y', type: 'string' } } }],
    ['', { namespace: 'x', objects: [{}] }],
    ['', { namespace: 'x', tags: [{ name: 'y' }, 'z'] }],
    ['', { namespace: 'x', tags: [{ name: 'y' }, { name: 'y' }] }, 409],
    ['', []],
    ['', { namespace: 'x', schema: 'y' }, 403],
    ['', { namespace: 'x', created_at: 'y' }, 403],
    ['/x/properties', { ...property, name: undefined }],
    ['/x/properties', { ...property, type: 'text' }],
    ['/x/properties', { ...property, minLength: -1 }],
    ['/x/properties', { ...property, colour: 'red' }],
    ['/x/properties', { ...property, default: deep }],
    ['/x/properties', { ...property, updated_at: 'y' }, 403],
    ['/x/properties', property, 404],
    ['/x/objects', { name: 'x', required: ['y', 'y'] }],
    ['/x/objects', { name: 'x', self: 'y' }, 403],
    ['/x/objects', { name: 'x' }, 404],
    ['/x/tags', {}],
    ['/x/tags', { tags: [{}] }],
    ['/x/tags', { tags: [{ name: 'y' }] }, 404],
    ['/x/resource_types', { prefix: 'y' }],
    ['/x/resource_types', { name: 'y', prefix: 'y'.repeat(81) }],
    ['/x/resource_types', { name: 'y' }, 404],
  ];
  for (const [to, document, status = 400] of bad) {
    const answer = await root.send('POST', `${base}${to}`, document);
    assert.equal(
      answer.status,
      status,
      `${to} ${JSON.stringify(document).slice(0, 99)}: ${answer.text}`,
    );
  }
  for (const number of ['1e400', '9007199254740993', '-18446744073709551615']) {
    const unkept = await gateway.ask(`${base}/x/properties`, {
      method: 'POST',
      token: admin,
      body: `{"name": "x", "title": "x", "type": "number", "maximum": ${number}}`,
    });
    assert.equal(unkept.status, 400, number);
  }
});
