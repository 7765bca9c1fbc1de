import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { outsideTypes } from '../../domain/outside/exposure.ts';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';

interface Page {
  readonly events: readonly Record<string, unknown>[];
  readonly next: string;
  readonly head: string;
}

const page = async (gateway: TestGateway, query = '', token = alice): Promise<Page> => {
  const answer = await gateway.ask(`/events/v1${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.json() as unknown as Page;
};
const short = ({ events }: Page): readonly string[] =>
  events.map(({ type }) => String(type).split('.').at(-1) ?? '');

describe('pages of events', () => {
  test('have the documents, where to go on and where the log ends', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(Buffer.from('bytes'));
    const first = await page(gateway);
    assert.deepEqual(short(first), [
      'ImageCreated',
      'UploadStarted',
      'UploadStaged',
      'ImageDataStored',
      'ImageDigested',
      'DiskFormatInspected',
      'ImageActivated',
    ]);
    assert.equal(first.next, first.head);
    assert.ok(first.events.every(({ subject }) => subject === `image/${id}`));
    assert.ok(first.events.every(({ projectid, actorid }) => projectid === 'red' && actorid));
    const second = await page(gateway, `?after=${first.next}`);
    assert.deepEqual(second, { events: [], next: first.head, head: first.head });
  });

  test('one after the other have each event once', async (t) => {
    const gateway = await startGateway(t);
    for (let count = 0; count < 7; count += 1) await gateway.create({ name: `image ${count}` });
    const names: unknown[] = [];
    let after = '0';
    for (;;) {
      const { events, next, head } = await page(gateway, `?after=${after}&limit=2`);
      assert.ok(events.length <= 2);
      names.push(...events.map(({ data }) => (data as { name: string }).name));
      after = next;
      if (next === head) break;
    }
    assert.deepEqual(
      names,
      [0, 1, 2, 3, 4, 5, 6].map((count) => `image ${count}`),
    );
  });

  test('are filtered by image, by type and by project', async (t) => {
    const gateway = await startGateway(t);
    const one = await gateway.create({ name: 'one' });
    const other = await gateway.create({ name: 'other', visibility: 'private' }, bob);
    await gateway.ask(`/v2/images/${one}/tags/x`, { method: 'PUT' });
    assert.deepEqual(short(await page(gateway, `?image=${one}`)), ['ImageCreated', 'TagAdded']);
    assert.deepEqual(short(await page(gateway, `?image=${one.toUpperCase()}&type=TagAdded`)), [
      'TagAdded',
    ]);
    const both = '?type=daguerre.v1.image.TagAdded,ImageCreated&type=ImageDeleted';
    assert.deepEqual(short(await page(gateway, both)), ['ImageCreated', 'TagAdded']);
    assert.deepEqual(short(await page(gateway, `?image=${other}`)), []);
    assert.deepEqual(short(await page(gateway, '?project=blue')), []);
    assert.deepEqual(short(await page(gateway, '?project=blue', admin)), ['ImageCreated']);
    assert.equal((await page(gateway, '', admin)).events.length, 3);
  });

  for (const [query, word] of [
    ['?sort=desc', 'sort'],
    ['?after=-1', 'after'],
    ['?after=9223372036854775808', 'after'],
    ['?after=', 'after'],
    ['?limit=0', 'limit'],
    ['?limit=many', 'limit'],
    ['?image=42', 'image'],
    ['?type=ImageEaten', 'ImageEaten'],
    ['?type=IngestClaimed', 'IngestClaimed'],
  ] as const)
    test(`${query} is refused by name`, async (t) => {
      const gateway = await startGateway(t);
      const { status, text } = await gateway.ask(`/events/v1${query}`);
      assert.equal(status, 400);
      assert.match(text, new RegExp(word));
      assert.equal((await gateway.ask(`/events/v1/stream?${query.slice(1)}`)).status, 400);
    });

  test('end where no position is', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create();
    const { events, next, head } = await page(gateway, '?after=9223372036854775807');
    assert.deepEqual([events, next, head], [[], '9223372036854775807', '1']);
  });
});

describe('who is told', () => {
  test('of whose images: the owner of its own, administrators of all', async (t) => {
    const gateway = await startGateway(t);
    await gateway.create({ visibility: 'private' });
    await gateway.create({ visibility: 'private' }, bob);
    for (const [token, count] of [
      [alice, 1],
      [reader, 1],
      [bob, 1],
      ['carol:green:member', 0],
      [admin, 2],
    ] as const)
      assert.equal((await page(gateway, '', token)).events.length, count, token);
  });

  test('of a public image everyone, but not by whom, and not how it got its bytes', async (t) => {
    const gateway = await startGateway(t);
    const put = {
      method: 'PUT',
      token: admin,
      headers: { 'Content-Type': 'application/octet-stream' },
    };
    const document = { visibility: 'public', disk_format: 'raw', container_format: 'bare' };
    const id = await gateway.create(document, admin);
    await gateway.ask(`/v2/images/${id}/file`, { ...put, body: Buffer.from('bytes') });
    const seen = await page(gateway);
    assert.deepEqual(short(seen), [
      'ImageCreated',
      'ImageDataStored',
      'ImageDigested',
      'DiskFormatInspected',
      'ImageActivated',
    ]);
    for (const event of seen.events)
      for (const name of Object.keys(event))
        assert.doesNotMatch(name, /^(actor|request|globalrequest|causation|correlation)/);
    const own = await page(gateway, '?type=ImageCreated', 'root:operations:member');
    assert.equal(own.events[0]?.actorid, 'root');
  });

  test('of a shared image its members, while they are members, and of their own membership', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ visibility: 'shared' });
    const tag = (name: string) => gateway.ask(`/v2/images/${id}/tags/${name}`, { method: 'PUT' });
    await tag('before');
    await gateway.send('POST', `/v2/images/${id}/members`, { member: 'blue' });
    await gateway.send('POST', `/v2/images/${id}/members`, { member: 'green' });
    await gateway.send('PUT', `/v2/images/${id}/members/blue`, { status: 'accepted' }, bob);
    await tag('while');
    await gateway.ask(`/v2/images/${id}/members/blue`, { method: 'DELETE' });
    await tag('after');
    assert.deepEqual(short(await page(gateway, '', bob)), [
      'MemberAdded',
      'MemberStatusChanged',
      'TagAdded',
      'MemberRemoved',
    ]);
    assert.equal((await page(gateway)).events.length, 8);
  });

  test('of a change of owner both, and of the rest who owned the image then', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ visibility: 'private' });
    const move = { op: 'replace', path: '/owner', value: 'blue' };
    const moved = await gateway.patch(`/v2/images/${id}`, [move], admin);
    assert.equal(moved.status, 200, moved.text);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE', token: bob });
    assert.deepEqual(short(await page(gateway)), ['ImageCreated', 'ImageUpdated']);
    const theirs = await page(gateway, '', bob);
    assert.deepEqual(short(theirs), ['ImageUpdated', 'ImageDeleted']);
    assert.equal(theirs.events[0]?.formerprojectid, 'red');
    assert.deepEqual(short(await page(gateway, `?image=${id}`, bob)), [
      'ImageUpdated',
      'ImageDeleted',
    ]);
  });

  test('that something is not theirs to see any more, not of what changed with it', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ visibility: 'community', name: 'for all' });
    const patched = await gateway.patch(`/v2/images/${id}`, [
      { op: 'replace', path: '/name', value: 'secret' },
      { op: 'replace', path: '/visibility', value: 'private' },
    ]);
    assert.equal(patched.status, 200, patched.text);
    assert.deepEqual(short(await page(gateway, '', bob)), ['ImageCreated', 'VisibilityChanged']);
    const moved = await gateway.patch(
      `/v2/images/${id}`,
      [
        { op: 'replace', path: '/name', value: 'theirs' },
        { op: 'replace', path: '/owner', value: 'blue' },
      ],
      admin,
    );
    assert.equal(moved.status, 200, moved.text);
    assert.doesNotMatch(JSON.stringify(await page(gateway)), /theirs/);
    assert.match(JSON.stringify(await page(gateway, '', bob)), /theirs/);
  });

  test('of a namespace of metadata definitions as of an image', async (t) => {
    const gateway = await startGateway(t);
    const namespaces = '/v2/metadefs/namespaces';
    const create = (namespace: string, visibility: string) =>
      gateway.send('POST', namespaces, { namespace, visibility, owner: 'red' }, admin);
    assert.equal((await create('Shown', 'public')).status, 201);
    assert.equal((await create('Own', 'private')).status, 201);
    const tag = { method: 'POST', token: admin };
    assert.equal((await gateway.ask(`${namespaces}/Own/tags/x`, tag)).status, 201);
    const created = 'MetadefNamespaceCreated';
    const own = await page(gateway);
    assert.deepEqual(short(own), [created, created, 'MetadefTagAdded']);
    assert.ok(own.events.every(({ projectid, actorid }) => projectid === 'red' && actorid));
    const theirs = await page(gateway, '', bob);
    assert.deepEqual(short(theirs), [created]);
    const [{ actorid, data } = {}] = theirs.events;
    assert.equal(actorid, undefined);
    assert.match(JSON.stringify(data), /"namespace":"Shown"/);
    const asked = '?type=daguerre.v1.metadef.MetadefTagAdded';
    assert.deepEqual(short(await page(gateway, asked)), ['MetadefTagAdded']);
    assert.equal((await page(gateway, '', admin)).events.length, 3);
  });

  test('nobody of refusals and claims', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(Buffer.from('bytes'), { visibility: 'private' });
    assert.equal(
      (await gateway.ask(`/v2/images/${id}`, { method: 'DELETE', token: reader })).status,
      403,
    );
    for (const token of [alice, admin])
      for (const type of short(await page(gateway, '', token)))
        assert.ok((outsideTypes as readonly string[]).includes(type), type);
  });

  test('nobody without a project', async (t) => {
    const gateway = await startGateway(t);
    assert.equal((await gateway.ask('/events/v1', { token: 'alice::member' })).status, 403);
    assert.equal((await gateway.ask('/events/v1/stream', { token: 'alice::member' })).status, 403);
  });
});

describe('schemas', () => {
  test('are served by the name that each event carries', async (t) => {
    const gateway = await startGateway(t);
    await gateway.createActive(Buffer.from('bytes'));
    for (const { dataschema } of (await page(gateway)).events) {
      const name = String(dataschema).replace('urn:daguerre:events:v1:', '');
      const schema = await gateway.ask(`/events/v1/schemas/${name}.json`);
      assert.equal(schema.status, 200, name);
      assert.equal(schema.json().$id, dataschema);
    }
    const list = (await gateway.ask('/events/v1/schemas')).json().schemas as readonly string[];
    assert.equal(list.length, outsideTypes.length + 2); // the envelope, and a try of a webhook
    for (const path of list) assert.equal((await gateway.ask(path)).status, 200);
    assert.equal((await gateway.ask('/events/v1/schemas/image.Eaten.json')).status, 404);
  });

  test('come as AsyncAPI 3, in which every reference leads somewhere', async (t) => {
    const gateway = await startGateway(t);
    const document = (await gateway.ask('/events/v1/asyncapi.json')).json();
    assert.equal(document.asyncapi, '3.0.0');
    const references = JSON.stringify(document).match(/(?<="\$ref":")[^"]+/g) ?? [];
    assert.ok(references.length > 2 * outsideTypes.length);
    for (const reference of references) {
      const found = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
      assert.notEqual(found, undefined, reference);
    }
  });
});
