import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { type Attributes, type MemberStatus, visibilities } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { Viewer } from '../../domain/image/visibility.ts';
import { type Images, MarkerInvisible, MarkerUnknown } from '../../projections/images/images.ts';
import type { Filter, ListQuery, SortKey } from '../../projections/images/list-query.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { random } from './history.ts';
import { logOf, migrations, rebuildFrom } from './read-model.ts';
import { newEvent, plain, uuid } from './recorded.ts';

const admin: Viewer = { projectId: 'project-a', isAdmin: true };
const member: Viewer = { projectId: 'project-a', isAdmin: false };
const nobody: Viewer = { projectId: null, isAdmin: false };

const everything: ListQuery = {
  viewer: admin,
  filters: [],
  visibility: 'all',
  memberStatus: 'accepted',
  hidden: false,
  sort: [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ],
  marker: undefined,
  limit: 1000,
};

interface Sample {
  readonly name: string;
  readonly attributes?: Partial<Attributes>;
  /** Whom it is shared with, and what they said. */
  readonly members?: Readonly<Record<string, MemberStatus>>;
  /** Bytes that it was filled with; absent: it stays queued. */
  readonly size?: number;
  /** Milliseconds after a fixed instant. */
  readonly created: number;
}

const noon = Date.UTC(2026, 4, 1, 12);

/** The events of images in the order given, one image at one instant. */
function eventsOf(samples: readonly Sample[]): RecordedEvent[] {
  let position = 0n;
  return samples.flatMap(({ name, attributes, members = {}, size, created }) => {
    const id = uuid(name);
    const creation: ImageEvent = { type: 'ImageCreated', data: { ...plain, name, ...attributes } };
    const events = [creation, ...sharedWith(members), ...(size === undefined ? [] : filled(size))];
    return events.map((event, revision): RecordedEvent => {
      position += 1n;
      return {
        ...newEvent(event, `${name} ${revision}`),
        streamId: `image-${id}`,
        revision,
        position,
        recordedAt: new Date(noon + created),
      };
    });
  });
}

const sharedWith = (members: Readonly<Record<string, MemberStatus>>): readonly ImageEvent[] =>
  Object.entries(members).flatMap(([member, status]): readonly ImageEvent[] => [
    { type: 'MemberAdded', data: { member } },
    ...(status === 'pending'
      ? []
      : [{ type: 'MemberStatusChanged', data: { member, from: 'pending', to: status } } as const]),
  ]);

const filled = (size: number): readonly ImageEvent[] => [
  { type: 'UploadStarted', data: { uploadId: 'u', owner: 'g', declaredSize: null, store: 'file' } },
  { type: 'UploadStaged', data: { uploadId: 'u', size } },
  {
    type: 'ImageDataStored',
    data: { uploadId: 'u', epoch: 1, store: 'file', key: `key/${size}`, size },
  },
  {
    type: 'ImageDigested',
    data: {
      uploadId: 'u',
      digests: { md5: `md5-${size}`, sha512: `sha512-${size}` },
      algorithm: 'sha512',
    },
  },
  {
    type: 'DiskFormatInspected',
    data: { uploadId: 'u', declared: 'raw', detected: 'raw', virtualSize: 2 * size },
  },
  { type: 'ImageActivated', data: { uploadId: 'u' } },
];

const openWith = async (samples: readonly Sample[]): Promise<Images> => {
  const { pool } = await testDatabase(migrations);
  await rebuildFrom(pool, logOf(eventsOf(samples)));
  return imageQueries(pool);
};

const names = (images: readonly ImageRecord[]): readonly (string | null)[] =>
  images.map(({ name }) => name).sort();

describe('paging by marker', () => {
  const seed = seedOfThisRun();
  const next = random(seed);
  const one = <Value>(...values: readonly [Value, ...Value[]]): Value =>
    values[Math.floor(next() * values.length)] ?? values[0];
  const samples = Array.from({ length: 160 }, (_, index): Sample => {
    const size = one(undefined, 0, 1, 2 ** 40);
    const nameOf = one<Partial<Attributes>>(
      { name: null },
      { name: '' },
      { name: 'é' },
      { name: 'B' },
      {},
    );
    return {
      name: `image ${index}`,
      attributes: {
        ...nameOf,
        visibility: one('public', 'community', 'shared', 'private'),
        owner: one('project-a', 'project-b', null),
        diskFormat: one(null, 'raw', 'qcow2'),
        containerFormat: one(null, 'bare', 'ova'),
        tags: [`of half ${index % 2}`, ...(index % 25 === 0 ? ['of few'] : [])],
        properties: index < 15 ? { since: 'the beginning' } : { since: `day ${index % 3}` },
      },
      members: one<Sample['members'] & object>(
        {},
        { 'project-a': 'accepted' },
        { 'project-c': 'accepted' },
      ),
      ...(size === undefined ? {} : { size }),
      created: one(0, 1, 2, 1000, 5000),
    };
  });
  let images: Images;
  before(async () => {
    images = await openWith(samples);
  });

  const keys = ['name', 'status', 'container_format', 'disk_format', 'size', 'updated_at'] as const;
  const shown: Record<SortKey, (image: ImageRecord) => string | number> = {
    name: ({ name }) => name ?? '',
    status: ({ status }) => status,
    container_format: ({ containerFormat }) => containerFormat ?? '',
    disk_format: ({ diskFormat }) => diskFormat ?? '',
    size: ({ size }) => size ?? 0,
    id: ({ id }) => id,
    created_at: ({ createdAt }) => createdAt.getTime(),
    updated_at: ({ updatedAt }) => updatedAt.getTime(),
  };

  const order = (a: string | number, b: string | number): number =>
    typeof a === 'string' && typeof b === 'string'
      ? Buffer.compare(Buffer.from(a), Buffer.from(b))
      : Number(a) - Number(b);

  async function visitsEachOnce(
    query: ListQuery,
    isWanted: (image: ImageRecord) => boolean = () => true,
  ): Promise<void> {
    const all = (await images.list({ ...query, filters: [] })).filter(isWanted);
    const expected = [...all].sort((a, b) => {
      for (const { key, direction } of query.sort) {
        const compared = order(shown[key](a), shown[key](b));
        if (compared !== 0) return direction === 'asc' ? compared : -compared;
      }
      return 0;
    });
    const paged: string[] = [];
    for (let marker = query.marker; ; marker = paged.at(-1)) {
      const page = await images.list({ ...query, marker, limit: 7 });
      paged.push(...page.map(({ id }) => id));
      if (page.length < 7) break;
      assert.ok(
        paged.length <= samples.length,
        `goes round in circles: ${JSON.stringify(query.sort)}`,
      );
    }
    assert.deepEqual(
      paged,
      expected.map(({ id }) => id),
      `seed ${seed}: ${JSON.stringify(query.sort)}`,
    );
  }

  test('visits each image once in order, by every key and direction, nulls and ties among them', async () => {
    assert.equal((await images.list(everything)).length, samples.length);
    for (const key of keys)
      for (const direction of ['asc', 'desc'] as const)
        await visitsEachOnce({
          ...everything,
          sort: [
            { key, direction },
            { key: 'created_at', direction },
            { key: 'id', direction },
          ],
        });
  });

  test('visits each image once by several keys in mixed directions', async () => {
    for (let round = 0; round < 20; round += 1) {
      const direction = () => one('asc', 'desc');
      const chosen = [one(...keys), one(...keys), 'created_at', 'id'] as const;
      await visitsEachOnce({
        ...everything,
        sort: chosen.map((key) => ({ key, direction: direction() })),
      });
    }
  });

  test('visits each image that a caller sees once, whatever the listing', async () => {
    for (const viewer of [admin, member, nobody])
      for (const visibility of [undefined, 'all', ...visibilities] as const)
        await visitsEachOnce({ ...everything, viewer, visibility });
  });

  test('visits each image once that has what is asked for, be it many or few', async () => {
    const tag = (value: string): Filter => ({ kind: 'tag', value });
    const since = (value: string): Filter => ({ kind: 'property', name: 'since', value });
    const active: Filter = { kind: 'one-of', field: 'status', values: ['active'] };
    const asked: readonly [readonly Filter[], (image: ImageRecord) => boolean][] = [
      [[tag('of half 0')], ({ tags }) => tags.includes('of half 0')],
      [[tag('of few')], ({ tags }) => tags.includes('of few')],
      [[since('the beginning')], ({ properties }) => properties.since === 'the beginning'],
      [
        [tag('of half 1'), since('day 2'), active],
        ({ tags, properties, status }) =>
          tags.includes('of half 1') && properties.since === 'day 2' && status === 'active',
      ],
    ];
    for (const viewer of [admin, member, nobody])
      for (const visibility of [undefined, 'all', ...visibilities] as const)
        for (const [filters, isWanted] of asked)
          for (const direction of ['asc', 'desc'] as const)
            await visitsEachOnce(
              {
                ...{ ...everything, viewer, visibility, filters },
                sort: [
                  { key: 'created_at', direction },
                  { key: 'id', direction },
                ],
              },
              isWanted,
            );
  });
});

describe('who sees what in a listing', () => {
  const kinds = [
    ['a', 'project-a'],
    ['b', 'project-b'],
    ['null', null],
  ] as const;
  let images: Images;
  before(async () => {
    images = await openWith(
      kinds.flatMap(([letter, owner]) =>
        visibilities.flatMap((visibility) => [
          { name: `${visibility}-${letter}`, attributes: { owner, visibility }, created: 0 },
          {
            name: `hidden-${visibility}-${letter}`,
            attributes: { owner, visibility, hidden: true },
            created: 0,
          },
        ]),
      ),
    );
  });
  const of = (visibility: string, ...letters: readonly string[]) =>
    (letters.length === 0 ? ['a', 'b', 'null'] : letters).map(
      (letter) => `${visibility}-${letter}`,
    );
  const everybodys = of('public');

  const expectations: readonly [string, Viewer, ListQuery['visibility'], readonly string[]][] = [
    [
      'a member by default: public and its own',
      member,
      undefined,
      [...everybodys, ...of('community', 'a'), ...of('shared', 'a'), ...of('private', 'a')],
    ],
    ['a member asking for public', member, 'public', everybodys],
    ['a member asking for community: everybody’s', member, 'community', of('community')],
    ['a member asking for shared: its own', member, 'shared', of('shared', 'a')],
    ['a member asking for private: its own', member, 'private', of('private', 'a')],
    [
      'a member asking for all',
      member,
      'all',
      [...everybodys, ...of('community'), ...of('shared', 'a'), ...of('private', 'a')],
    ],
    ['a caller without a project by default: public', nobody, undefined, everybodys],
    ['a caller without a project asking for private: nothing', nobody, 'private', []],
    [
      'a caller without a project asking for all',
      nobody,
      'all',
      [...everybodys, ...of('community')],
    ],
    [
      'an administrator by default: all but community images of others',
      admin,
      undefined,
      [...everybodys, ...of('community', 'a'), ...of('shared'), ...of('private')],
    ],
    ['an administrator asking for shared', admin, 'shared', of('shared')],
    ['an administrator asking for private', admin, 'private', of('private')],
    [
      'an administrator asking for all',
      admin,
      'all',
      visibilities.flatMap((visibility) => of(visibility)),
    ],
  ];
  for (const [what, viewer, visibility, expected] of expectations)
    test(what, async () => {
      const query = { ...everything, viewer, visibility };
      assert.deepEqual(names(await images.list(query)), [...expected].sort());
      const hidden = names(await images.list({ ...query, hidden: true }));
      assert.deepEqual(hidden, expected.map((name) => `hidden-${name}`).sort());
    });

  test('a marker must exist, and be visible to the caller', async () => {
    const marked = (marker: string, limit = 25) =>
      images.list({ ...everything, viewer: member, marker, limit });
    await assert.rejects(marked(uuid('nobody made this')), MarkerUnknown);
    await assert.rejects(marked('no uuid at all \0'), MarkerUnknown);
    await assert.rejects(marked(uuid('private-b')), MarkerInvisible);
    await assert.rejects(marked(uuid('private-b'), 0), MarkerInvisible);
    await marked(uuid('private-a'));
  });

  test('a page of none is empty', async () => {
    assert.deepEqual(await images.list({ ...everything, limit: 0 }), []);
  });
});

describe('shared images of others', () => {
  let images: Images;
  before(async () => {
    const of = (name: string, members: Sample['members'] & object, more = {}): Sample => ({
      name,
      members,
      attributes: { owner: 'project-b', ...more },
      created: 0,
    });
    images = await openWith([
      of('accepted', { 'project-x': 'rejected', 'project-a': 'accepted' }),
      of('pending', { 'project-a': 'pending' }),
      of('rejected', { 'project-a': 'rejected', 'project-x': 'accepted' }),
      of('for others', { 'project-x': 'accepted' }),
      of('own', { 'project-a': 'accepted' }, { owner: 'project-a' }),
      of('of nobody', { 'project-a': 'accepted' }, { owner: null }),
      of('dormant', { 'project-a': 'accepted' }, { visibility: 'private' }),
      of('hidden', { 'project-a': 'accepted' }, { hidden: true }),
    ]);
  });
  const accepted = ['accepted', 'of nobody', 'own'];

  const cases: readonly [ListQuery['visibility'], ListQuery['memberStatus'], readonly string[]][] =
    [
      [undefined, 'accepted', accepted],
      [undefined, 'pending', ['own', 'pending']],
      [undefined, 'rejected', ['own', 'rejected']],
      [undefined, 'all', [...accepted, 'pending', 'rejected'].sort()],
      ['shared', 'accepted', accepted],
      ['all', 'accepted', accepted],
      ['private', 'all', []],
      ['public', 'all', []],
    ];
  for (const [visibility, memberStatus, expected] of cases)
    test(`are listed by membership: ${visibility ?? 'by default'}, ${memberStatus}`, async () => {
      const query = { ...everything, viewer: member, visibility, memberStatus };
      assert.deepEqual(names(await images.list(query)), expected);
    });

  test('are a page like any other', async () => {
    const query = { ...everything, viewer: member, visibility: 'shared', limit: 1 } as const;
    const [first] = await images.list(query);
    const [second] = await images.list({ ...query, marker: first?.id });
    const [third] = await images.list({ ...query, marker: second?.id });
    assert.deepEqual([first, second, third].map((image) => image?.name).sort(), accepted);
    assert.deepEqual(await images.list({ ...query, marker: third?.id }), []);
  });

  test('may be a marker whatever the answer, while they are shared', async () => {
    const after = (name: string) =>
      images.list({ ...everything, viewer: member, marker: uuid(name) });
    await after('pending');
    await after('rejected');
    await assert.rejects(after('for others'), MarkerInvisible);
    await assert.rejects(after('dormant'), MarkerInvisible);
  });

  test('change nothing of what an administrator and a caller without a project see', async () => {
    for (const memberStatus of ['pending', 'all'] as const) {
      const asAdmin = { ...everything, memberStatus, visibility: 'shared' } as const;
      assert.equal((await images.list(asAdmin)).length, 6);
      assert.deepEqual(await images.list({ ...asAdmin, viewer: nobody }), []);
    }
  });

  test('are read back with their members', async () => {
    const time = new Date(noon);
    const image = await images.show(uuid('accepted'));
    assert.deepEqual(image?.members, [
      { projectId: 'project-x', status: 'rejected', createdAt: time, updatedAt: time },
      { projectId: 'project-a', status: 'accepted', createdAt: time, updatedAt: time },
    ]);
  });
});

describe('filters of a listing', () => {
  let images: Images;
  before(async () => {
    images = await openWith([
      { name: 'early', created: 999, attributes: { tags: ['a', 'b'], protected: true } },
      { name: 'late', created: 1000, size: 10, attributes: { diskFormat: 'raw', minDisk: 5 } },
      { name: 'a,b', created: 2999, size: 20, attributes: { tags: ['b'], minRam: 512 } },
      {
        name: 'other',
        created: 3000,
        attributes: { owner: 'project-b', properties: { os: 'debian', 'it"s': '%_\\' } },
      },
      { name: 'unset', created: 60_000, attributes: { diskFormat: null, properties: { os: '' } } },
    ]);
  });
  const second = (seconds: number): Date => new Date(noon + seconds * 1000);
  const time = (
    comparison: (Filter & { kind: 'time' })['comparison'],
    seconds: number,
  ): Filter => ({
    kind: 'time',
    field: 'created_at',
    comparison,
    value: second(seconds),
  });
  const property = (name: string, value: string): Filter => ({ kind: 'property', name, value });

  const cases: readonly [string, readonly Filter[], readonly string[]][] = [
    ['one name', [{ kind: 'one-of', field: 'name', values: ['a,b'] }], ['a,b']],
    [
      'any of names',
      [{ kind: 'one-of', field: 'name', values: ['late', 'early', '?'] }],
      ['early', 'late'],
    ],
    ['an id', [{ kind: 'one-of', field: 'id', values: [uuid('late')] }], ['late']],
    ['a status', [{ kind: 'one-of', field: 'status', values: ['active'] }], ['a,b', 'late']],
    ['a disk format', [{ kind: 'one-of', field: 'disk_format', values: ['raw', 'iso'] }], ['late']],
    ['an owner', [{ kind: 'text', field: 'owner', value: 'project-b' }], ['other']],
    ['a checksum', [{ kind: 'text', field: 'checksum', value: 'md5-10' }], ['late']],
    ['a hash', [{ kind: 'text', field: 'os_hash_value', value: 'sha512-20' }], ['a,b']],
    [
      'a hash algorithm',
      [{ kind: 'text', field: 'os_hash_algo', value: 'sha512' }],
      ['a,b', 'late'],
    ],
    ['a size', [{ kind: 'number', field: 'size', comparison: 'eq', value: 10 }], ['late']],
    [
      'a least size',
      [{ kind: 'number', field: 'size', comparison: 'gte', value: 10 }],
      ['a,b', 'late'],
    ],
    [
      'a greatest size',
      [{ kind: 'number', field: 'size', comparison: 'lte', value: 19.5 }],
      ['late'],
    ],
    ['a size beyond all', [{ kind: 'number', field: 'size', comparison: 'gte', value: 1e30 }], []],
    [
      'a virtual size',
      [{ kind: 'number', field: 'virtual_size', comparison: 'eq', value: 40 }],
      ['a,b'],
    ],
    ['a least disk', [{ kind: 'number', field: 'min_disk', comparison: 'eq', value: 5 }], ['late']],
    [
      'a least memory',
      [{ kind: 'number', field: 'min_ram', comparison: 'eq', value: 512 }],
      ['a,b'],
    ],
    ['protection', [{ kind: 'protected', value: true }], ['early']],
    ['no protection', [{ kind: 'protected', value: false }], ['a,b', 'late', 'other', 'unset']],
    ['a tag', [{ kind: 'tag', value: 'b' }], ['a,b', 'early']],
    [
      'several tags',
      [
        { kind: 'tag', value: 'b' },
        { kind: 'tag', value: 'a' },
      ],
      ['early'],
    ],
    ['a property', [property('os', 'debian')], ['other']],
    ['an empty property', [property('os', '')], ['unset']],
    ['a property full of quotes', [property('it"s', '%_\\')], ['other']],
    ['two properties', [property('os', 'debian'), property('it"s', 'no')], []],
    ['text that cannot be stored', [property('os', 'a\0b')], []],
    ['the shown second', [time('eq', 0)], ['early']],
    ['not the shown second', [time('neq', 0)], ['a,b', 'late', 'other', 'unset']],
    ['after a shown second', [time('gt', 1)], ['a,b', 'other', 'unset']],
    ['from a shown second on', [time('gte', 1)], ['a,b', 'late', 'other', 'unset']],
    ['before a shown second', [time('lt', 1)], ['early']],
    ['up to a shown second', [time('lte', 2)], ['a,b', 'early', 'late']],
    [
      'the second of the last change',
      [{ ...time('eq', 3), field: 'updated_at' } as Filter],
      ['other'],
    ],
    ['all of them at once', [time('gte', 1), { kind: 'tag', value: 'b' }], ['a,b']],
  ];
  for (const [what, filters, expected] of cases)
    test(`by ${what}`, async () => {
      assert.deepEqual(names(await images.list({ ...everything, filters })), expected);
    });

  test('an image shows what it was made and filled with', async () => {
    assert.deepEqual(await images.show(uuid('late')), {
      ...plain,
      id: uuid('late'),
      name: 'late',
      status: 'active',
      diskFormat: 'raw',
      minDisk: 5,
      size: 10,
      virtualSize: 20,
      checksum: 'md5-10',
      hashAlgorithm: 'sha512',
      hashValue: 'sha512-10',
      createdAt: new Date(noon + 1000),
      updatedAt: new Date(noon + 1000),
      locations: [
        {
          id: 'key/10',
          store: 'file',
          key: 'key/10',
          ours: true,
          metadata: {},
        },
      ],
      imports: null,
      members: [],
      failure: null,
    });
    assert.equal(await images.show(uuid('nobody made this')), undefined);
    assert.equal(await images.show('no uuid at all \0'), undefined);
  });

  test('store keys are told apart by whether an image names them', async () => {
    assert.deepEqual(
      await images.namedKeys(['file/key/10', 'file/key/11', 'other/key/10']),
      new Set(['file/key/10']),
    );
  });
});
