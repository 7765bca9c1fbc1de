import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BulkEvent } from '../../domain/bulk/events.ts';
import { historyAccess } from '../../domain/history/access.ts';
import { access } from '../../domain/image/access.ts';
import type { JsonObject } from '../../domain/json.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { parseProtections, protectionsBy } from '../../domain/property-protections/protections.ts';
import type { WebhookEvent } from '../../domain/webhook/events.ts';
import { newEvent } from '../projections/recorded.ts';
import { admin, alice, bob, rawFormat, reader } from '../support/gateway.ts';
import { type HistorySite, startHistorySite } from './site.ts';

const auditor = 'otto:office:auditor';

const allFor = (who: string): string =>
  ['create', 'read', 'update', 'delete'].map((operation) => `${operation} = ${who}`).join('\n');
const protections = `[^billing_]\n${allFor('admin')}\n[.*]\n${allFor('@')}\n`;

interface Page {
  readonly changes: readonly JsonObject[];
  readonly position: string;
  readonly first: string;
  readonly next?: string;
}

async function page(site: HistorySite, path: string, token = alice): Promise<Page> {
  const { status, text, json } = await site.ask(
    path.startsWith('/') ? path : `/history/v1/${path}`,
    {
      token,
    },
  );
  assert.equal(status, 200, text);
  return json() as unknown as Page;
}

const typesOf = ({ changes }: Page): unknown[] => changes.map(({ type }) => type);

/** `kind name: old -> new` of each difference. */
const differencesOf = ({ changes }: JsonObject): readonly string[] =>
  (changes as unknown as readonly Record<string, unknown>[]).map(
    ({ kind, name, old, new: now }) =>
      `${kind} ${name}: ${JSON.stringify(old)} -> ${JSON.stringify(now)}`,
  );

describe('a change', () => {
  test('tells when, by whom and from where, by which rule and request, and what', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.create({ name: 'before', os_distro: 'debian' });
    const patched = await site.ask(`/v2/images/${id}`, {
      method: 'PATCH',
      headers: {
        'Content-Type': 'application/openstack-images-v2.1-json-patch',
        'X-OpenStack-Request-ID': 'req-of-ours',
        'User-Agent': 'curl/8',
      },
      body: JSON.stringify([
        { op: 'replace', path: '/name', value: 'after' },
        { op: 'remove', path: '/os_distro' },
      ]),
    });
    assert.equal(patched.status, 200);
    const { changes } = await page(site, `images/${id}`);
    const [, change] = changes;
    assert.ok(change);
    assert.deepEqual(differencesOf(change), [
      'field name: "before" -> "after"',
      'property os_distro: "debian" -> null',
    ]);
    const event = (await site.ports.log.readStream(`image-${id}`)).events.at(-1);
    assert.ok(event);
    const { changes: _, ...rest } = change;
    assert.deepEqual(rest, {
      position: String(event.position),
      id: event.id,
      time: event.recordedAt.toISOString(),
      type: 'ImageUpdated',
      outcome: 'success',
      object: { kind: 'image', id },
      revision: 1,
      project_id: 'red',
      actor: {
        kind: 'user',
        user_id: 'alice',
        project_id: 'red',
        roles: ['member', 'reader'],
        person: { user_name: 'alice', remote_address: '127.0.0.1', user_agent: 'curl/8' },
      },
      request_id: 'req-of-ours',
      global_request_id: 'req-of-ours',
      causation_id: event.metadata.causationId,
      correlation_id: event.metadata.correlationId,
      rule: 'modify_image',
    });
  });

  test('has nobody behind it once the record of the person is erased', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.create();
    await site.pool.query(`delete from personal_records where user_id = 'alice'`);
    const [change] = (await page(site, `images/${id}`, admin)).changes;
    const { person, user_id } = (change?.actor ?? {}) as JsonObject;
    assert.deepEqual([person, user_id], [null, 'alice']);
  });

  test('by somebody of another project tells an owner the id, and no more', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.create();
    await site.ask(`/v2/images/${id}/tags/seen`, { method: 'PUT', token: admin });
    const of = async (token: string): Promise<unknown> =>
      (await page(site, `images/${id}`, token)).changes.at(-1)?.actor;
    assert.deepEqual(await of(reader), {
      kind: 'user',
      user_id: 'root',
      project_id: 'operations',
    });
    assert.deepEqual(Object.keys((await of(auditor)) as object), [
      'kind',
      'user_id',
      'project_id',
      'roles',
      'person',
    ]);
  });

  test('of what the system did names the part, and keys to auditors alone', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.createActive(Buffer.from('bytes'));
    const { changes } = await page(site, `images/${id}`);
    const active = changes.find(({ type }) => type === 'ImageActivated');
    assert.ok(active);
    assert.deepEqual(active.actor, { kind: 'system', part: 'worker-test' });
    const found = differencesOf(active).join('\n');
    assert.match(found, /field status: "saving" -> "active"/);
    assert.match(found, /field size: null -> 5/);
    assert.match(found, /field locations: null -> \[\{"store":"file"\}\]/);
    const key = (await page(site, `images/${id}`, auditor)).changes.map(differencesOf).join();
    assert.match(key, new RegExp(`"key":"${id}/`));
  });

  test('says nothing of properties that the caller may not read', async (t) => {
    const policy = parsePolicy(null);
    const site = await startHistorySite(t, (ports) => ({
      ...ports,
      access: access(policy, protectionsBy(parseProtections(protections, 'roles'), policy)),
    }));
    const document = { owner: 'red', billing_code: '4711', os_distro: 'debian' };
    const id = await site.create(document, admin);
    const of = async (token: string) =>
      differencesOf((await page(site, `images/${id}`, token)).changes[0] as JsonObject).join();
    assert.doesNotMatch(await of(alice), /billing/);
    assert.match(await of(alice), /os_distro/);
    assert.match(await of(admin), /billing_code/);
  });
});

describe('the history of an image', () => {
  test('has all that happened, also once it is deleted', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.create({ visibility: 'shared' });
    const image = `/v2/images/${id}`;
    await site.send('POST', `${image}/members`, { member: 'blue' });
    await site.send('PUT', `${image}/members/blue`, { status: 'accepted' }, bob);
    await site.ask(`${image}/actions/deactivate`, { method: 'POST' });
    assert.equal((await site.ask(image, { method: 'DELETE', token: bob })).status, 403);
    assert.equal((await site.ask(image, { method: 'DELETE' })).status, 204);
    const whole = ['ImageCreated', 'MemberAdded', 'MemberStatusChanged', 'ImageDeleted'];
    assert.deepEqual(typesOf(await page(site, `images/${id}`)), whole);
    const { changes } = await page(site, `images/${id}/members`);
    assert.deepEqual(changes.flatMap(differencesOf), [
      'member blue: null -> "pending"',
      'member blue: "pending" -> "accepted"',
    ]);
    const audited = await page(site, `images/${id}`, auditor);
    assert.deepEqual(typesOf(audited), [...whole.slice(0, 3), 'RequestRefused', 'ImageDeleted']);
    const { outcome, object, refusal, actor, rule } = audited.changes[3] ?? {};
    assert.deepEqual(
      { outcome, object, refusal, rule },
      {
        outcome: 'refused',
        object: { kind: 'image', id },
        refusal: {
          action: 'DELETE /v2/images/:imageId',
          rule: 'delete_image',
          target: id,
          code: 'not-allowed',
          count: 1,
        },
        rule: undefined,
      },
    );
    assert.equal((actor as JsonObject).user_id, 'bob');
  });

  test('belongs to each owner for its own time', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.create({ visibility: 'private' });
    const move = { op: 'replace', path: '/owner', value: 'blue' };
    await site.patch(`/v2/images/${id}`, [move], admin);
    await site.ask(`/v2/images/${id}/tags/x`, { method: 'PUT', token: bob });
    assert.deepEqual(typesOf(await page(site, `images/${id}`, alice)), [
      'ImageCreated',
      'ImageUpdated',
    ]);
    const theirs = await page(site, `images/${id}`, bob);
    assert.deepEqual(typesOf(theirs), ['ImageUpdated', 'TagAdded']);
    assert.equal(theirs.changes[0]?.former_project_id, 'red');
    assert.equal(typesOf(await page(site, `images/${id}`, auditor)).length, 3);
  });

  test('has claims and leases for auditors alone', async (t) => {
    const site = await startHistorySite(t);
    const id = await site.createActive(Buffer.from('bytes'));
    const own = typesOf(await page(site, `images/${id}`));
    assert.ok(!own.includes('IngestClaimed'));
    const all = typesOf(await page(site, `images/${id}`, auditor));
    assert.deepEqual(all, await site.events(id));
  });
});

describe('the history of what is no image', () => {
  test('of a namespace goes on through its names, and knows all that ever had one', async (t) => {
    const site = await startHistorySite(t);
    const namespaces = '/v2/metadefs/namespaces';
    const create = (namespace: string) =>
      site.send('POST', namespaces, { namespace, owner: 'red' }, admin);
    await create('First');
    await site.send('PUT', `${namespaces}/First`, { namespace: 'Second/%', owner: 'red' }, admin);
    const path = `${namespaces}/Second%2F%25`;
    await site.ask(`${path}/tags/x`, { method: 'POST', token: admin });
    await create('First');
    await site.ask(path, { method: 'DELETE', token: admin });
    const types = ['MetadefNamespaceCreated', 'MetadefNamespaceRenamed', 'MetadefTagAdded'];
    const second = await page(site, 'metadefs/Second%2F%25');
    assert.deepEqual(typesOf(second), [...types, 'MetadefNamespaceDeleted']);
    assert.deepEqual(second.changes.flatMap(differencesOf).slice(-3), [
      'field namespace: "First" -> "Second/%"',
      'tag x: null -> {"name":"x"}',
      'field status: "present" -> "deleted"',
    ]);
    const first = await page(site, 'metadefs/First');
    assert.equal(first.changes.length, 5);
    assert.equal(new Set(first.changes.map(({ object }) => (object as JsonObject).id)).size, 2);
  });

  test('of a project has its webhooks, without their secrets', async (t) => {
    const site = await startHistorySite(t);
    const url = 'https://example.org/hook';
    const secret = { secretId: 's', scheme: 'v1', fingerprint: 'f', publicKey: null } as const;
    const facts: readonly WebhookEvent[] = [
      {
        type: 'WebhookRegistered',
        data: {
          ...{ project: 'red', url, description: '', secret, after: '0' },
          filter: { types: ['ImageCreated'], images: null },
        },
      },
      {
        type: 'WebhookChanged',
        data: { changes: [{ field: 'description', from: '', to: 'ours' }] },
      },
      { type: 'WebhookRemoved', data: {} },
    ];
    const stored = facts.map(({ type, data }, index) => ({
      ...newEvent({ type: 'ImageDeleted', data: {} }, `webhook ${index}`),
      type,
      data: data as unknown as JsonObject,
    }));
    await site.ports.log.append('webhook-w', stored, -1);
    const { changes } = await page(site, 'projects/red');
    assert.deepEqual(
      changes.map(({ object }) => object),
      facts.map(() => ({ kind: 'webhook', id: 'w' })),
    );
    const found = changes.map(differencesOf);
    assert.ok(found[0]?.includes(`field url: null -> "${url}"`));
    assert.deepEqual(found.slice(1), [
      ['field description: "" -> "ours"'],
      ['field status: "enabled" -> "removed"'],
    ]);
    assert.deepEqual(
      await page(site, 'projects/red', auditor),
      await page(site, 'projects/red', admin),
    );
  });

  test('of a project has its quota, in flight as it is', async (t) => {
    const site = await startHistorySite(t);
    const reservation = {
      ...{ reservationId: 'r', imageId: 'i', act: 'command', attempt: 'r', owner: 'gateway' },
      ...{ amounts: { images: 1 }, growing: false, limits: { images: 5 } },
    };
    const stored = [
      ['QuotaReserved', reservation],
      ['QuotaCommitted', { reservationId: 'r', resources: ['images'], position: '1' }],
    ].map(([type, data], index) => ({
      ...newEvent({ type: 'ImageDeleted', data: {} }, `quota ${index}`),
      type: String(type),
      data: data as JsonObject,
    }));
    await site.ports.log.append('project-red', stored, -1);
    const { changes } = await page(site, 'projects/red');
    const value = '{"image_id":"i","act":"command","amounts":{"images":1}}';
    assert.deepEqual(changes.flatMap(differencesOf), [
      `reservation r: null -> ${value}`,
      `reservation r: ${value} -> null`,
    ]);
    assert.ok(
      !JSON.stringify(changes).includes('gateway'),
      'which process acts is nobody’s to see',
    );
  });

  test('of a project has its bulk imports, as they are told outside', async (t) => {
    const site = await startHistorySite(t);
    const caller = { userId: 'alice', projectId: 'red', roles: ['member'] };
    const facts: readonly BulkEvent[] = [
      {
        type: 'BulkImportRequested',
        data: {
          ...{ project: 'red', authority: caller, name: 'mine', priority: 'low' },
          ...{ items: 1, digest: 'd' },
        },
      },
      { type: 'BulkItemsListed', data: { first: 0, items: [] } },
      { type: 'BulkImportReprioritized', data: { from: 'low', to: 'high' } },
    ];
    const stored = facts.map(({ type, data }, index) => ({
      ...newEvent({ type: 'ImageDeleted', data: {} }, `import ${index}`),
      type,
      data: data as unknown as JsonObject,
    }));
    await site.ports.log.append('import-i', stored, -1);
    const { changes } = await page(site, 'projects/red');
    assert.deepEqual(
      changes.map(({ type, object, details }) => [type, object, details]),
      [
        [
          'BulkImportRequested',
          { kind: 'import', id: 'i' },
          { project: 'red', name: 'mine', priority: 'low', items: 1, digest: 'd' },
        ],
        ['BulkImportReprioritized', { kind: 'import', id: 'i' }, { from: 'low', to: 'high' }],
      ],
    );
    assert.equal((await page(site, 'projects/red', auditor)).changes.length, 3);
    assert.deepEqual(typesOf(await page(site, 'events', bob)), []);
  });
});

describe('the history of everything', () => {
  test('is filtered by project, actor, type, object, outcome, time and position', async (t) => {
    const site = await startHistorySite(t);
    const one = await site.create({ name: 'one' });
    const other = await site.create({ name: 'other', visibility: 'private' }, bob);
    await site.ask(`/v2/images/${one}/tags/x`, { method: 'PUT', token: admin });
    assert.equal((await site.ask(`/v2/images/${other}`)).status, 404);
    const all = (await page(site, 'events', auditor)).changes;
    assert.deepEqual(
      all.map(({ type, outcome }) => `${type} ${outcome}`),
      [
        'ImageCreated success',
        'ImageCreated success',
        'TagAdded success',
        'RequestRefused refused',
      ],
    );
    const [first, second, third, fourth] = all.map(({ position }) => String(position));
    const expected: readonly (readonly [string, readonly (string | undefined)[]])[] = [
      ['project=blue', [second]],
      ['project=red', [first, third, fourth]],
      ['actor=root', [third]],
      ['type=TagAdded,ImageCreated', [first, second, third]],
      ['type=TagAdded&type=RequestRefused', [third, fourth]],
      [`object=${other.toUpperCase()}`, [second, fourth]],
      ['outcome=refused', [fourth]],
      ['outcome=success&project=red', [first, third]],
      [`from=${all[1]?.time}&to=${all[1]?.time}&actor=bob`, [second]],
      [`from=${all[3]?.time}&outcome=success&type=ImageCreated`, []],
      ['to=2020-01-01', []],
      ['from=2020-01-01T00:00:00%2B02:00', [first, second, third, fourth]],
      [`from_position=${second}&to_position=${third}`, [second, third]],
      [`marker=${second}`, [third, fourth]],
    ];
    for (const [query, positions] of expected)
      assert.deepEqual(
        (await page(site, `events?${query}`, auditor)).changes.map(({ position }) => position),
        positions,
        query,
      );
    assert.deepEqual(typesOf(await page(site, 'events')), ['ImageCreated', 'TagAdded']);
    assert.deepEqual(typesOf(await page(site, 'events?project=blue')), []);
  });

  test('is read page by page, by links that keep the question', async (t) => {
    const site = await startHistorySite(t);
    for (let count = 0; count < 7; count += 1) await site.create({ name: `image ${count}` });
    const names: unknown[] = [];
    let path: string | undefined = '/history/v1/events?type=ImageCreated&limit=3';
    while (path !== undefined) {
      const { changes, first, next }: Page = await page(site, path);
      assert.ok(changes.length <= 3);
      assert.equal(first, '/history/v1/events?type=ImageCreated&limit=3');
      names.push(...changes.map((change) => differencesOf(change)[0]));
      path = next;
    }
    assert.deepEqual(
      names,
      [0, 1, 2, 3, 4, 5, 6].map((count) => `field name: null -> "image ${count}"`),
    );
  });

  test('knows everything that was answered before', async (t) => {
    const site = await startHistorySite(t);
    for (let count = 1; count <= 30; count += 1) {
      const id = await site.create();
      assert.equal((await page(site, `images/${id}`)).changes.length, 1);
      if (count % 10 === 0) {
        await site.ask(`/v2/images/${id}/tags/x`, { method: 'PUT' });
        const { changes } = await page(site, `events?object=${id}&type=TagAdded`);
        assert.equal(changes.length, 1);
      }
    }
  });

  for (const [query, word] of [
    ['?sort=desc', 'sort'],
    ['?limit=0', 'limit'],
    ['?marker=x', 'marker'],
    ['?from=soon', 'from'],
    ['?to=2026-13-01', 'to'],
    ['?to_position=-1', 'to_position'],
    ['?outcome=unknown', 'outcome'],
  ] as const)
    test(`${query} is refused by name`, async (t) => {
      const site = await startHistorySite(t);
      const { status, text } = await site.ask(`/history/v1/events${query}`);
      assert.equal(status, 400);
      assert.match(text, new RegExp(word));
    });
});

test('an attempt to see the history of others is itself recorded', async (t) => {
  const site = await startHistorySite(t);
  const id = await site.create({ ...rawFormat, visibility: 'private' });
  assert.equal((await site.ask(`/history/v1/images/${id}`, { token: bob })).status, 404);
  assert.equal((await site.ask('/history/v1/projects/red', { token: bob })).status, 404);
  const { changes } = await page(site, 'events?outcome=refused', auditor);
  assert.deepEqual(
    changes.map(({ refusal }) => [(refusal as JsonObject).rule, (refusal as JsonObject).target]),
    [
      ['get_image_history', id],
      ['get_project_history', 'red'],
    ],
  );
});

test('an operator’s policy can close it', async (t) => {
  const policy = parsePolicy({ get_image_history: 'role:auditor', get_past_image: 'role:auditor' });
  const site = await startHistorySite(t, (ports) => ({
    ...ports,
    history: { ...ports.history, access: historyAccess(policy) },
  }));
  const id = await site.create({ visibility: 'private' });
  assert.equal((await site.ask(`/history/v1/images/${id}`)).status, 403);
  const then = `/history/v1/images/${id}?as_of_position=1`;
  assert.equal((await site.ask(then)).status, 404);
  assert.equal((await site.ask(then, { token: auditor })).status, 200);
});
