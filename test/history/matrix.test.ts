import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import type { Answer } from '../support/http.ts';

const admin = 'root:office:admin';
/** The columns of the tables below, in their order. The image belonged to `former`, and now to `owners`. */
const callers = {
  administrator: admin,
  auditor: 'otto:office:auditor',
  'member of the owner': 'olga:owners:member',
  'reader of the owner': 'omar:owners:reader',
  'nobody of the owner': 'nina:owners:',
  'member of the former owner': 'fred:former:member',
  'accepted member': 'anna:accepted:member',
  'pending member': 'paul:pending:member',
  stranger: 'sven:strangers:member',
  service: 'nova:services:service',
  'who has no project': 'olga::member',
} as const;

const states = ['public', 'community', 'shared', 'private', 'deleted'] as const;
type State = (typeof states)[number];
type Table = Readonly<Record<State, string>>;

/** Y: told. F: 403. -: 404, as if there were nothing. n: not in the listing, 0: an empty one. */
const table = (open: string, shared: string, closed: string, deleted: string): Table => ({
  public: open,
  community: open,
  shared,
  private: closed,
  deleted,
});

// Whoever owned it is told of its own time; who only sees the image is told that it may not see this.
const own = table('YYYYFYFFF-F', 'YYYYFYFF---', 'YYYYFY-----', 'YYYYFY-----');
// As of when `owners` had it, in each visibility. It was there before its deletion.
const then = table('YYYY-YYYY-Y', 'YYYY--YY---', 'YYYY-------', 'YYYY-------');
const listedThen: Table = {
  public: 'YYYYFYYYYFF',
  community: 'nnYYFnnnnFF',
  shared: 'YYYYFnYnnFF',
  private: 'YYYYFnnnnFF',
  deleted: 'YYYYFnnnnFF',
};
// As of its first day, when it was private to `former`.
const before = table('YY---Y-----', 'YY---Y-----', 'YY---Y-----', 'YY---Y-----');

interface Given {
  readonly id: string;
  readonly first: bigint;
  readonly then: bigint;
}

interface Operation {
  readonly table: Table;
  readonly path: (given: Given) => string;
  told?(answer: Answer, id: string): string;
}

const listing = (answer: Answer, id: string): string => {
  if (answer.status !== 200) return told(answer);
  const { images, changes } = answer.json();
  return JSON.stringify(images ?? changes).includes(id) ? 'Y' : 'n';
};

const operations: Readonly<Record<string, Operation>> = {
  'the history of an image': { table: own, path: ({ id }) => `/images/${id}` },
  'the history of its members': { table: own, path: ({ id }) => `/images/${id}/members` },
  'the image as it was': {
    table: then,
    path: (given) => `/images/${given.id}?as_of_position=${given.then}`,
  },
  'the image as it was at first': {
    table: before,
    path: ({ id, first }) => `/images/${id}?as_of_position=${first}`,
  },
  'the listing as it was': {
    table: listedThen,
    path: (given) => `/images?limit=1000&as_of_position=${given.then}`,
    told: listing,
  },
  'the changes of everything': {
    table: table('YYYYFYnnnFF', 'YYYYFYnnnFF', 'YYYYFYnnnFF', 'YYYYFYnnnFF'),
    path: ({ id }) => `/events?limit=1000&object=${id}`,
    told: listing,
  },
  'the refused attempts on everything': {
    table: table('YYnnFnnnnFF', 'YYnnFnnnnFF', 'YYnnFnnnnFF', 'YYnnFnnnnFF'),
    path: ({ id }) => `/events?outcome=refused&object=${id}`,
    told: listing,
  },
};

const onOthers: Readonly<Record<string, readonly [string, string]>> = {
  'the history of a public namespace': ['YYYYFFFFFFF', '/metadefs/Open'],
  'the history of a private namespace': ['YYYYF------', '/metadefs/Closed'],
  'the history of a namespace that is gone': ['YYYYF------', '/metadefs/Gone'],
  'the history of a namespace that never was': ['-----------', '/metadefs/Never'],
  'the history of the owners’ project': ['YYYYF------', '/projects/owners'],
  'the history of another project': ['YY-------F-', '/projects/services'],
  'the history of an image that never was': [
    '-----------',
    '/images/00000000-0000-4000-8000-000000000000',
  ],
};

function told({ status }: Answer): string {
  return { 200: 'Y', 403: 'F', 404: '-' }[status] ?? ` ${status} `;
}

const look = (gateway: TestGateway, path: string, token: string): Promise<Answer> =>
  gateway.ask(`/history/v1${path}`, { token });

async function done(answer: Promise<Answer>): Promise<Answer> {
  const { status, text, ...rest } = await answer;
  assert.ok(status < 300, `${status} ${text}`);
  return { status, text, ...rest };
}

async function imageIn(gateway: TestGateway, state: State): Promise<Given> {
  const { ask, create, patch, ports, send } = gateway;
  const id = await create({ owner: 'former', visibility: 'private' }, admin);
  const path = `/v2/images/${id}`;
  const first = await ports.log.head();
  const changed = (field: string, value: string) =>
    done(patch(path, [{ op: 'replace', path: `/${field}`, value }], admin));
  await changed('owner', 'owners');
  await changed('visibility', 'shared');
  for (const member of ['accepted', 'pending']) {
    await done(send('POST', `${path}/members`, { member }, admin));
    await done(send('PUT', `${path}/members/${member}`, { status: member }, admin));
  }
  assert.equal((await ask(path, { method: 'DELETE', token: 'anna:accepted:member' })).status, 403);
  await changed('visibility', state === 'deleted' ? 'private' : state);
  const then = await ports.log.head();
  if (state === 'deleted') await done(ask(path, { method: 'DELETE', token: admin }));
  return { id, first, then };
}

const rowOf = async (t: TestContext, ask: (token: string) => Promise<string>): Promise<string> => {
  let row = '';
  for (const token of Object.values(callers)) row += await ask(token);
  t.diagnostic(row);
  return row;
};

describe('whoever looks back', () => {
  for (const [what, { table: expected, path, told: meaning = told }] of Object.entries(operations))
    test(`at ${what}`, async (t) => {
      const gateway = await startGateway(t);
      for (const state of states) {
        const given = await imageIn(gateway, state);
        const row = await rowOf(t, async (token) =>
          meaning(await look(gateway, path(given), token), given.id),
        );
        assert.equal(row, expected[state], `${what}: ${state}`);
      }
    });

  test('at what is no image', async (t) => {
    const gateway = await startGateway(t);
    const { ask, send } = gateway;
    for (const [namespace, visibility] of [
      ['Open', 'public'],
      ['Closed', 'private'],
      ['Gone', 'public'],
    ])
      await done(
        send('POST', '/v2/metadefs/namespaces', { namespace, visibility, owner: 'owners' }, admin),
      );
    await done(ask('/v2/metadefs/namespaces/Gone', { method: 'DELETE', token: admin }));
    for (const [what, [expected, path]] of Object.entries(onOthers))
      assert.equal(
        await rowOf(t, async (token) => told(await look(gateway, path, token))),
        expected,
        what,
      );
  });
});
