import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admin, alice, reader, startGateway } from '../support/gateway.ts';

const anId = '9F0C7D0E-3c1b-4a43-9d8e-5c4f1b1f2a10';
const long = 'x'.repeat(256);

describe('POST /v2/images', () => {
  test('answers 201 with every base field, null where unset', async (t) => {
    const gateway = await startGateway(t);
    const created = await gateway.send('POST', '/v2/images', {});
    assert.equal(created.status, 201);
    const { id, created_at, updated_at, ...rest } = created.json();
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    assert.match(String(created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(updated_at, created_at);
    assert.deepEqual(rest, {
      name: null,
      status: 'queued',
      visibility: 'shared',
      owner: 'red',
      protected: false,
      os_hidden: false,
      disk_format: null,
      container_format: null,
      min_disk: 0,
      min_ram: 0,
      size: null,
      virtual_size: null,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      tags: [],
      self: `/v2/images/${id}`,
      file: `/v2/images/${id}/file`,
      schema: '/v2/schemas/image',
    });
    assert.equal(created.headers.location, `${gateway.url}/v2/images/${id}`);
    assert.equal(created.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(created.headers['openstack-image-import-methods'], undefined);
  });

  test('names the import methods where there are any', async (t) => {
    const gateway = await startGateway(t, {
      change: (ports) => ({ ...ports, importMethods: ['glance-direct', 'web-download'] }),
    });
    const { headers } = await gateway.send('POST', '/v2/images', {});
    assert.equal(headers['openstack-image-import-methods'], 'glance-direct,web-download');
  });

  test('keeps what the client says, custom properties at the top level', async (t) => {
    const gateway = await startGateway(t);
    const given = {
      id: anId,
      name: 'Ünïcode ☃',
      visibility: 'private',
      protected: true,
      os_hidden: true,
      disk_format: 'qcow2',
      container_format: 'bare',
      min_disk: 2147483647,
      min_ram: 512,
      tags: ['b', 'a', 'b'],
      os_distro: 'debian',
      kernel_id: null,
      // computed, since as a literal it would set the prototype
      ['__proto__']: 'text',
      constructor: 'more',
    };
    const created = await gateway.send('POST', '/v2/images', given);
    assert.equal(created.status, 201, created.text);
    assert.ok(created.text.includes('Ünïcode ☃'), 'non-ASCII is left unescaped');
    const shown = (await gateway.ask(`/v2/images/${anId.toLowerCase()}`)).json();
    assert.deepEqual(shown, created.json());
    const expected = { ...given, id: anId.toLowerCase(), tags: ['b', 'a'], kernel_id: '' };
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual(Object.getOwnPropertyDescriptor(shown, name)?.value, value, name);
  });

  const invalid: readonly (readonly [string, object])[] = [
    ['a name that is no string', { name: 5 }],
    ['a name above 255 characters', { name: long }],
    ['a tag above 255 characters', { tags: [long] }],
    ['tags that are no array', { tags: 'a' }],
    ['an id that is no UUID', { id: 'x' }],
    ['a disk format that nobody knows', { disk_format: 'floppy' }],
    ['a visibility that nobody knows', { visibility: 'secret' }],
    ['a custom property that is a number', { cores: 4 }],
    ['a custom property that is null', { cores: null }],
    ['a custom property name above 255 characters', { [long]: 'x' }],
    ['a negative min_ram', { min_ram: -1 }],
    ['a min_disk above 31 bits', { min_disk: 2147483648 }],
    ['a fraction of min_disk', { min_disk: 1.5 }],
    ['a NUL character in a value', { name: 'a\0b' }],
    ['a NUL character in a property name', { 'a\0b': 'x' }],
    ['half of a surrogate pair', { name: '\ud800' }],
    ['half of a surrogate pair in a tag', { tags: ['\udfff'] }],
    ['a wrongly typed read-only field', { status: 5 }],
    ['a kernel id that is no UUID', { kernel_id: 'vmlinuz' }],
    ['an array instead of an object', []],
  ];
  for (const [what, document] of invalid)
    test(`refuses ${what} with 400`, async (t) => {
      const gateway = await startGateway(t);
      const answer = await gateway.send('POST', '/v2/images', document);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(await gateway.ports.log.head(), 0n);
    });

  const fixed = {
    status: 'active',
    checksum: 'd41d8cd98f00b204e9800998ecf8427e',
    size: 1,
    virtual_size: 1,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    os_hash_algo: 'sha512',
    os_hash_value: 'ab',
    self: 'x',
    file: 'x',
    schema: 'x',
    direct_url: 'x',
    stores: 'x',
    location: 'x',
    locations: [],
    deleted: 'x',
    deleted_at: 'x',
    os_glance_import_task: 'x',
    os_glance: 'x',
  };
  for (const [name, value] of Object.entries(fixed))
    test(`refuses ${name} with 403`, async (t) => {
      const gateway = await startGateway(t);
      const answer = await gateway.send('POST', '/v2/images', { [name]: value });
      assert.equal(answer.status, 403, answer.text);
      assert.match(answer.text, new RegExp(name));
    });

  test('refuses a foreign owner, public and readers with 403, but lets an administrator', async (t) => {
    const gateway = await startGateway(t);
    const post = async (document: object, token: string) =>
      (await gateway.send('POST', '/v2/images', document, token)).status;
    assert.equal(await post({ owner: 'blue' }, alice), 403);
    assert.equal(await post({ visibility: 'public' }, alice), 403);
    assert.equal(await post({}, reader), 403);
    assert.equal(await post({ owner: 'blue', visibility: 'public' }, admin), 201);
  });

  test('refuses an id that exists, also of a deleted image and in another case, with 409', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create({ id: anId });
    assert.equal((await gateway.send('POST', '/v2/images', { id: anId })).status, 409);
    await gateway.ask(`/v2/images/${anId}`, { method: 'DELETE' });
    const again = await gateway.send('POST', '/v2/images', { id: anId.toLowerCase() });
    assert.equal(again.status, 409);
  });

  test('refuses more than 128 tags or properties with 413', async (t) => {
    const gateway = await startGateway(t);
    const many = Array.from({ length: 129 }, (_, index) => `n${index}`);
    const properties = Object.fromEntries(many.map((name) => [name, 'x']));
    assert.equal((await gateway.send('POST', '/v2/images', { tags: many })).status, 413);
    assert.equal((await gateway.send('POST', '/v2/images', properties)).status, 413);
  });

  test('reads no stream for an id that the gateway makes itself', async (t) => {
    let reads = 0;
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        log: {
          ...ports.log,
          readStream(streamId) {
            reads += 1;
            return ports.log.readStream(streamId);
          },
        },
      }),
    });
    await gateway.create();
    assert.equal(reads, 0);
    await gateway.create({ id: anId });
    assert.equal(reads, 1);
  });

  test('stores an empty owner as null', async (t) => {
    const gateway = await startGateway(t);
    const created = await gateway.send('POST', '/v2/images', { owner: '' }, admin);
    assert.equal(created.json().owner, null);
  });

  test('records who asked, by which rule and in which request', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const { actor, causationId, correlationId, requestId, rule, personal } =
      events[0]?.metadata ?? {};
    assert.deepEqual(actor, {
      kind: 'user',
      userId: 'alice',
      projectId: 'red',
      roles: ['member', 'reader'],
    });
    assert.equal(rule, 'add_image');
    assert.equal(personal, 'hash');
    assert.equal(requestId, `req-${correlationId}`);
    assert.ok(causationId);
  });
});
