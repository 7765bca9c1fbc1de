import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { admin, alice, bob, startGateway, type TestGateway } from '../support/gateway.ts';

describe('GET /v2/images/{id}', () => {
  test('shows an image to its project and to administrators, 404 to others', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ name: 'mine' });
    const status = async (token: string) =>
      (await gateway.ask(`/v2/images/${id}`, { token })).status;
    assert.deepEqual(
      [await status(alice), await status(admin), await status(bob)],
      [200, 200, 404],
    );
  });

  test('shows public and community images to everybody', async (t) => {
    const gateway = await startGateway(t);
    for (const visibility of ['public', 'community']) {
      const id = await gateway.create({ visibility }, admin);
      assert.equal((await gateway.ask(`/v2/images/${id}`, { token: bob })).status, 200);
    }
  });

  test('answers 404 for an id that is unknown, deleted, no UUID or too long', async (t) => {
    const gateway = await startGateway(t);
    const deleted = await gateway.create();
    await gateway.ask(`/v2/images/${deleted}`, { method: 'DELETE' });
    for (const id of [randomUUID(), deleted, 'nonsense', 'x'.repeat(37), '%00', ''])
      assert.equal((await gateway.ask(`/v2/images/${id}`)).status, 404, id);
  });

  test('refuses a body with 400, before it looks for the image', async (t) => {
    const gateway = await startGateway(t);
    const answer = await gateway.ask(`/v2/images/${randomUUID()}`, { body: '{}' });
    assert.equal(answer.status, 400);
  });
});

describe('GET /v2/images', () => {
  const names = ({ json }: { json(): Record<string, unknown> }) =>
    (json().images as { name: string }[]).map(({ name }) => name).sort();
  const list = async (gateway: TestGateway, query: string, token = alice) => {
    const answer = await gateway.ask(`/v2/images?${query}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return names(answer);
  };

  test('lists what is public and what is the own project’s', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create({ name: 'red' });
    await gateway.create({ name: 'blue' }, bob);
    await gateway.create({ name: 'public', visibility: 'public' }, admin);
    await gateway.create({ name: 'community', visibility: 'community' }, admin);
    assert.deepEqual(await list(gateway, ''), ['public', 'red']);
    assert.deepEqual(await list(gateway, 'visibility=community'), ['community']);
    assert.deepEqual(await list(gateway, 'visibility=all'), ['community', 'public', 'red']);
    assert.deepEqual(await list(gateway, 'visibility='), []);
  });

  test('pages by marker: next is there on a full page and keeps every parameter', async (t) => {
    const gateway = await startGateway(t);
    for (const name of ['a', 'b', 'c', 'd']) await gateway.create({ name, tags: ['x', 'y & z'] });
    const first = '/v2/images?limit=2&tag=x&tag=y+%26+z&sort_key=name&sort_dir=asc';
    const page = (await gateway.ask(first)).json();
    const images = page.images as { id: string; name: string }[];
    assert.deepEqual(
      images.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.equal(page.first, first);
    assert.equal(page.next, `${first}&marker=${images[1]?.id}`);
    assert.equal(page.schema, '/v2/schemas/images');
    const second = (await gateway.ask(String(page.next))).json();
    assert.equal(second.first, first);
    const third = (await gateway.ask(String(second.next))).json();
    assert.deepEqual(third.images, []);
    assert.equal(third.next, undefined);
  });

  test('gives first without a question mark, and no next on a page that is not full', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create();
    const page = (await gateway.ask('/v2/images')).json();
    assert.equal(page.first, '/v2/images');
    assert.equal('next' in page, false);
  });

  test('takes limit=0 for an empty page', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create();
    const page = (await gateway.ask('/v2/images?limit=0')).json();
    assert.deepEqual(page.images, []);
    assert.equal('next' in page, false);
  });

  test('filters by fields, lists of values, tags and custom properties, all of them together', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create({ name: 'plain', disk_format: 'raw', tags: ['t'] });
    await gateway.create({ name: 'a,b', disk_format: 'qcow2', os_distro: 'debian', min_ram: 512 });
    await gateway.create({ name: 'time:12:30', protected: true, tags: ['t', 'u'] });
    await gateway.create({ name: 'hidden', os_hidden: true });
    const every = ['a,b', 'plain', 'time:12:30'];
    assert.deepEqual(await list(gateway, 'name=plain'), ['plain']);
    assert.deepEqual(await list(gateway, 'name=in:%22a,b%22,plain'), ['a,b', 'plain']);
    assert.deepEqual(await list(gateway, 'name=eq:time:12:30'), ['time:12:30']);
    assert.deepEqual(await list(gateway, 'disk_format=in:raw,qcow2'), ['a,b', 'plain']);
    assert.deepEqual(await list(gateway, 'os_distro=debian'), ['a,b']);
    assert.deepEqual(await list(gateway, 'os_distro=debian&name=plain'), []);
    assert.deepEqual(await list(gateway, 'min_ram=512'), ['a,b']);
    assert.deepEqual(await list(gateway, 'tag=t&tag=u'), ['time:12:30']);
    assert.deepEqual(await list(gateway, 'protected=true'), ['time:12:30']);
    assert.deepEqual(await list(gateway, 'os_hidden=True'), ['hidden']);
    assert.deepEqual(await list(gateway, 'status=queued&deleted=false'), every);
    assert.deepEqual(await list(gateway, 'owner=blue'), []);
    assert.deepEqual(await list(gateway, 'id=nonsense'), []);
    assert.deepEqual(await list(gateway, 'created_at=gt:2020-01-01T00:00:00Z'), every);
    assert.deepEqual(await list(gateway, 'created_at=lt:2020-01-01'), []);
    assert.deepEqual(await list(gateway, 'created_at=2020-01-01T00:00:00%2B02:00'), []);
    for (const basic of ['20200101', '20200101T000000Z', '20200101T020000%2B0200']) {
      assert.deepEqual(await list(gateway, `created_at=gt:${basic}`), every);
      assert.deepEqual(await list(gateway, `created_at=${basic}`), []);
    }
    assert.deepEqual(await list(gateway, 'size_min=1'), []);
    for (const nothing of ['size=abc', 'min_ram=abc', 'virtual_size=-1', 'min_disk=1.5', 'size='])
      assert.deepEqual(await list(gateway, nothing), []);
    assert.deepEqual(await list(gateway, 'size_max=-5'), []);
    assert.deepEqual(await list(gateway, '__proto__=x'), []);
    assert.deepEqual(await list(gateway, 'member_status=all'), every);
  });

  const invalid = [
    'limit=-1',
    'limit=x',
    'marker=nonsense',
    `marker=${randomUUID()}`,
    'sort=name&sort_key=size',
    'sort_key=name&sort_key=size&sort_dir=asc&sort_dir=desc&sort_dir=asc',
    'sort_key=checksum',
    'sort=name:up',
    'sort_dir=up',
    'name=a:b',
    'status=gt:active',
    'name=in:%22a',
    'name=in:a%22b%22',
    'name=in:%22a%22b',
    'created_at=yesterday',
    'created_at=2026-02-30',
    'created_at=20260230',
    'created_at=2026-0101',
    'created_at=near:2026-01-01',
    'size_min=x',
    'size_max=1.5',
    'protected=True',
    'os_hidden=maybe',
    'visibility=secret',
    'member_status=maybe',
    'changes-since=2026-01-01',
    'name=%FF',
    'name=a%00b',
  ];
  for (const query of invalid)
    test(`refuses ${query.replace(/[0-9a-f-]{36}/, 'an unknown marker')} with 400`, async (t) => {
      const gateway = await startGateway(t);
      assert.equal((await gateway.ask(`/v2/images?${query}`)).status, 400);
    });

  test('refuses a marker that the caller cannot see with 403, a deleted one with 400', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({}, bob);
    assert.equal((await gateway.ask(`/v2/images?marker=${id}`)).status, 403);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE', token: bob });
    assert.equal((await gateway.ask(`/v2/images?marker=${id}`)).status, 400);
  });

  test('sorts by several keys, each with its direction', async (t) => {
    const gateway = await startGateway(t);
    for (const [name, disk_format] of [
      ['a', 'raw'],
      ['b', 'raw'],
      ['c', 'iso'],
    ])
      await gateway.create({ name, disk_format });
    const order = async (query: string) =>
      ((await gateway.ask(`/v2/images?${query}`)).json().images as { name: string }[]).map(
        ({ name }) => name,
      );
    assert.deepEqual(await order('sort=disk_format:asc,name:desc'), ['c', 'b', 'a']);
    assert.deepEqual(await order('sort=name'), ['c', 'b', 'a']);
    assert.deepEqual(await order('sort_key=disk_format&sort_key=name&sort_dir=desc&sort_dir=asc'), [
      'a',
      'b',
      'c',
    ]);
    assert.deepEqual(await order('sort_key=name&sort_dir=asc'), ['a', 'b', 'c']);
  });

  test('refuses a caller without the reader role with 403', async (t) => {
    const gateway = await startGateway(t);
    assert.equal((await gateway.ask('/v2/images', { token: 'eve:red:guest' })).status, 403);
  });
});
