import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { noDefinitions } from '../../domain/metadef/content.ts';
import type { NamespaceEvent } from '../../domain/metadef/events.ts';
import { outsideOf, type Readers } from '../../domain/outside/outside.ts';
import { type Standing, standingAfter } from '../../domain/outside/standing.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { cloudEventOf, envelope } from '../../infra/outside/cloud-event.ts';
import { outsideData } from '../../infra/outside/data.ts';
import { standings } from '../../infra/outside/standings.ts';
import { subjectOf, subjectToken } from '../../infra/outside/subject.ts';
import { newEvent, plain, recorded } from '../projections/recorded.ts';

const imageId = '11111111-2222-4333-8444-555555555555';
const place = { region: 'RegionOne', projectId: 'project-a', formerProjectId: null };

const created = (change: Partial<typeof plain> = {}): ImageEvent => ({
  type: 'ImageCreated',
  data: { ...plain, visibility: 'private', ...change },
});
const visibility = (from: 'private' | 'shared', to: 'public' | 'shared'): ImageEvent => ({
  type: 'VisibilityChanged',
  data: { from, to },
});
const owner = (from: string | null, to: string | null): ImageEvent => ({
  type: 'ImageUpdated',
  data: { changes: [{ field: 'owner', from, to }], properties: [] },
});
const tag: ImageEvent = { type: 'TagAdded', data: { tag: 'x' } };
const member = (project: string): ImageEvent => ({
  type: 'MemberAdded',
  data: { member: project },
});
const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId: 'u', owner: 'gateway-1', declaredSize: null, store: 'file' },
};
const stored: ImageEvent = {
  type: 'ImageDataStored',
  data: { uploadId: 'u', epoch: 1, store: 'file', key: 'a/b/1', size: 7 },
};
const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };
const removed: ImageEvent = { type: 'ImageDataRemoved', data: {} };

/** How the last of a stream's events stands outside. */
const lastOf = (...events: readonly ImageEvent[]) => lastIn(recorded(imageId, events));
const lastOfNamespace = (...events: readonly NamespaceEvent[]) => lastIn(aboutNamespace(...events));

function lastIn(events: readonly RecordedEvent[]) {
  let standing: Standing | undefined;
  let outside: ReturnType<typeof outsideOf>;
  for (const event of events) {
    outside = outsideOf(event, standing);
    standing = standingAfter(standing, event);
  }
  return outside;
}
const readers = (...events: readonly ImageEvent[]): Readers | undefined =>
  lastOf(...events)?.readers;

const namespace = (
  change: Partial<(NamespaceEvent & { type: 'MetadefNamespaceCreated' })['data']> = {},
): NamespaceEvent => ({
  type: 'MetadefNamespaceCreated',
  data: {
    namespace: 'OS::Compute',
    displayName: null,
    description: null,
    visibility: 'private',
    protected: false,
    owner: 'project-a',
    definitions: noDefinitions,
    claimId: 'claim',
    ...change,
  },
});
const changed = (field: string, from: string, to: string): NamespaceEvent =>
  ({ type: 'MetadefNamespaceUpdated', data: { changes: [{ field, from, to }] } }) as NamespaceEvent;
const metadefTag: NamespaceEvent = {
  type: 'MetadefTagAdded',
  data: { definition: { name: 'x' } },
};
const aboutNamespace = (...events: readonly NamespaceEvent[]): readonly RecordedEvent[] =>
  recorded(imageId, events).map((event) => ({ ...event, streamId: `metadef-${imageId}` }));

const only = (event: ImageEvent): RecordedEvent => {
  const [first] = recorded(imageId, [event]);
  assert.ok(first);
  return first;
};

describe('who may read a fact', () => {
  test('of a private image, its owner', () => {
    assert.deepEqual(readers(created()), ['project-a']);
    assert.deepEqual(readers(created(), tag), ['project-a']);
  });

  test('of a public, a community or an ownerless image, everyone, but not how it gets its bytes', () => {
    assert.equal(readers(created({ visibility: 'public' }), tag), 'everyone');
    assert.equal(readers(created({ visibility: 'community' }), tag), 'everyone');
    assert.equal(readers(created({ owner: null }), tag), 'everyone');
    assert.deepEqual(readers(created({ visibility: 'public' }), started), ['project-a']);
    assert.deepEqual(readers(created({ owner: null }), started), []);
  });

  test('of a shared image, its owner and those that it is shared with', () => {
    const shared = [created({ visibility: 'shared' }), member('project-b')];
    assert.deepEqual(readers(...shared, tag), ['project-a', 'project-b']);
    assert.deepEqual(readers(...shared, started), ['project-a']);
  });

  test('members that rest do not count', () => {
    const facts = [created({ visibility: 'shared' }), member('project-b')];
    const rested: ImageEvent = {
      type: 'VisibilityChanged',
      data: { from: 'shared', to: 'private' },
    };
    assert.deepEqual(readers(...facts, rested), ['project-a', 'project-b']);
    assert.deepEqual(readers(...facts, rested, tag), ['project-a']);
    assert.deepEqual(readers(...facts, rested, visibility('private', 'shared'), tag), [
      'project-a',
      'project-b',
    ]);
  });

  test('members learn of themselves and not of each other', () => {
    const shared = [created({ visibility: 'shared' }), member('project-b')];
    assert.deepEqual(readers(...shared), ['project-a', 'project-b']);
    assert.deepEqual(readers(...shared, member('project-c')), ['project-a', 'project-c']);
    assert.deepEqual(
      readers(...shared, { type: 'MemberRemoved', data: { member: 'project-b' } }, tag),
      ['project-a'],
    );
  });

  test('a change of owner is told to both, what came before and after to one', () => {
    const moved = lastOf(created(), owner('project-a', 'project-b'));
    assert.deepEqual(moved, {
      projectId: 'project-b',
      formerProjectId: 'project-a',
      readers: ['project-a', 'project-b'],
    });
    assert.deepEqual(lastOf(created(), owner('project-a', 'project-b'), tag), {
      projectId: 'project-b',
      formerProjectId: null,
      readers: ['project-b'],
    });
  });

  test('that an image became public is told to everyone, what it was before is not', () => {
    assert.deepEqual(readers(created(), tag), ['project-a']);
    assert.equal(readers(created(), tag, visibility('private', 'public')), 'everyone');
  });

  test('a deletion is told to whoever could see the image, what follows to its owner', () => {
    assert.equal(readers(created({ visibility: 'public' }), deleted), 'everyone');
    assert.deepEqual(lastOf(created({ visibility: 'public' }), deleted, removed), {
      projectId: 'project-a',
      formerProjectId: null,
      readers: ['project-a'],
    });
  });

  test('claims stay inside, and so does what is neither image nor namespace', () => {
    const claimed: ImageEvent = {
      type: 'IngestClaimed',
      data: { uploadId: 'u', epoch: 1, supersedes: 0, owner: 'worker-1' },
    };
    assert.equal(lastOf(created(), claimed), undefined);
    assert.equal(
      outsideOf({ ...only(created()), streamId: 'refusals-2026' }, undefined),
      undefined,
    );
    assert.equal(outsideOf({ ...only(created()), type: 'FromTheFuture' }, undefined), undefined);
  });

  test('an image whose beginning nobody knows is for administrators', () => {
    assert.deepEqual(outsideOf(only(tag), undefined)?.readers, []);
  });
});

describe('who may read a fact about a namespace', () => {
  test('private: its owner; public, or without an owner: everyone', () => {
    assert.deepEqual(lastOfNamespace(namespace())?.readers, ['project-a']);
    assert.deepEqual(lastOfNamespace(namespace(), metadefTag)?.readers, ['project-a']);
    assert.equal(
      lastOfNamespace(namespace({ visibility: 'public' }), metadefTag)?.readers,
      'everyone',
    );
    assert.equal(lastOfNamespace(namespace({ owner: null }), metadefTag)?.readers, 'everyone');
  });

  test('that changes hands or visibility: whoever could see it just before or just after', () => {
    assert.deepEqual(lastOfNamespace(namespace(), changed('owner', 'project-a', 'project-b')), {
      projectId: 'project-b',
      formerProjectId: 'project-a',
      readers: ['project-a', 'project-b'],
    });
    const opened = changed('visibility', 'private', 'public');
    const closed = changed('visibility', 'public', 'private');
    assert.equal(lastOfNamespace(namespace(), opened)?.readers, 'everyone');
    assert.equal(lastOfNamespace(namespace(), opened, closed)?.readers, 'everyone');
    assert.deepEqual(lastOfNamespace(namespace(), opened, closed, metadefTag)?.readers, [
      'project-a',
    ]);
  });

  test('that is deleted: whoever could see it', () => {
    const gone: NamespaceEvent = { type: 'MetadefNamespaceDeleted', data: {} };
    assert.equal(lastOfNamespace(namespace({ visibility: 'public' }), gone)?.readers, 'everyone');
    assert.deepEqual(lastOfNamespace(namespace(), gone)?.readers, ['project-a']);
  });

  test('claims on names stay inside, in its own stream and in that of the name', () => {
    const abandoned: NamespaceEvent = {
      type: 'MetadefNameClaimAbandoned',
      data: { claimId: 'claim' },
    };
    assert.equal(lastOfNamespace(namespace(), abandoned), undefined);
    const [event] = aboutNamespace(namespace());
    assert.ok(event);
    for (const type of ['MetadefNameClaimed', 'MetadefNamespaceCreated'])
      assert.equal(outsideOf({ ...event, streamId: 'metadefname-x', type }, undefined), undefined);
  });
});

describe('the document of a fact', () => {
  test('about a namespace is of a kind of its own, without the claim on its name', () => {
    const definition = JSON.parse('{"name":"x","type":"string","__proto__":{"enum":["y"]}}');
    const definitions = { ...noDefinitions, property: [definition] };
    const [event] = aboutNamespace(namespace({ definitions }));
    assert.ok(event);
    const document = cloudEventOf(event, place);
    assert.equal(document?.type, 'daguerre.v1.metadef.MetadefNamespaceCreated');
    assert.equal(document.subject, `metadef/${imageId}`);
    assert.equal(document.dataschema, 'urn:daguerre:events:v1:metadef.MetadefNamespaceCreated');
    assert.equal(
      subjectOf(event, place),
      `daguerre.v1.RegionOne.metadef.project-a.${imageId}.MetadefNamespaceCreated`,
    );
    const { claimId, ...told } = event.data;
    assert.equal(claimId, 'claim');
    assert.equal(JSON.stringify(document.data), JSON.stringify(told));
  });

  test('is CloudEvents 1.0 with its own place in the log', () => {
    const document = cloudEventOf(only(tag), place);
    envelope.parse(document);
    assert.deepEqual(document, {
      specversion: '1.0',
      id: only(tag).id,
      source: '/daguerre/RegionOne',
      type: 'daguerre.v1.image.TagAdded',
      subject: `image/${imageId}`,
      time: '2026-05-01T00:00:01.001Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:daguerre:events:v1:image.TagAdded',
      revision: 0,
      position: '1',
      region: 'RegionOne',
      projectid: 'project-a',
      actorkind: 'user',
      actorid: 'user',
      actorprojectid: 'project-a',
      requestid: 'req-1',
      causationid: 'cause',
      correlationid: 'correlation of TagAdded',
      data: { tag: 'x' },
    });
  });

  test('names its attributes as CloudEvents allows', () => {
    for (const name of Object.keys(envelope.shape)) assert.match(name, /^[a-z0-9]{1,20}$/);
  });

  test('carries neither keys, URLs, claims nor names of processes', () => {
    const data = (event: ImageEvent) => cloudEventOf(only(event), place)?.data;
    assert.deepEqual(data(stored), { uploadId: 'u', store: 'file', size: 7 });
    assert.deepEqual(data(started), { uploadId: 'u', declaredSize: null, store: 'file' });
    for (const [type, schema] of Object.entries(outsideData))
      for (const field of Object.keys(schema.shape))
        assert.doesNotMatch(field, /key|url|location|credential|epoch|metadata/i, type);
  });

  test('keeps properties whatever they are called', () => {
    const properties = JSON.parse('{"__proto__":"text","constructor":"more"}');
    const document = cloudEventOf(only(created({ properties })), place);
    assert.match(
      JSON.stringify(document),
      /"properties":\{"__proto__":"text","constructor":"more"\}/,
    );
  });

  test('is none for what stays inside', () => {
    const refused = {
      ...only(tag),
      streamId: 'refusals-2026-05-01-gateway-0',
      type: 'RequestRefused',
    };
    assert.equal(cloudEventOf(refused, place), undefined);
  });
});

describe('subjects', () => {
  const subject = (projectId: string | null, region = 'RegionOne') =>
    subjectOf(only(tag), { region, projectId });

  test('name region, kind, project, image and fact', () => {
    assert.equal(subject('project-a'), `daguerre.v1.RegionOne.image.project-a.${imageId}.TagAdded`);
    assert.equal(subject(null), `daguerre.v1.RegionOne.image._.${imageId}.TagAdded`);
  });

  test('never have more tokens than that, whatever the names', () => {
    assert.equal(
      subject('a.b*>', 'eu west'),
      `daguerre.v1.eu=20west.image.a=2Eb=2A=3E.${imageId}.TagAdded`,
    );
    assert.equal(subjectToken('ä=_-'), '=C3=A4=3D_-');
    assert.equal(subjectToken(''), '=');
  });

  test('tell a project called _ from none', () => {
    assert.equal(subject('_').split('.')[4], '=5F');
  });
});

describe('whoever reads the log itself', () => {
  const facts = [
    created({ visibility: 'shared' }),
    member('project-b'),
    tag,
    owner('project-a', 'project-c'),
    started,
  ];

  test('finds the same standings in order, from the middle, again and with a memory of one image', async () => {
    const log = memoryEventLog({ upcast });
    for (const id of ['one', 'other'])
      for (const [index, fact] of facts.entries())
        await log.append(`image-${id}`, [newEvent(fact, `${id} ${index}`)], index - 1);
    const all = await log.readAll(0n, 100);
    const expected = facts.map((_, index) => lastOf(...facts.slice(0, index + 1)));
    const mixed = facts.flatMap((_, index) => [all[index], all[index + facts.length]]);
    for (const events of [all, all.slice(3), all.toReversed(), mixed, [...all, ...all]]) {
      const inOrder = standings(log, 1);
      for (const event of events)
        if (event !== undefined)
          assert.deepEqual(await inOrder.outsideOf(event), expected[event.revision]);
    }
  });
});
