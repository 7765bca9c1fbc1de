import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type Visibility, visibilities } from '../../domain/image/attributes.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import {
  type GatewayOptions,
  octets,
  rawFormat,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import type { Answer } from '../support/http.ts';
import { localHttpStore } from '../support/stores.ts';

const admin = 'root:office:admin';
/** The columns of the tables below, in their order. The image belongs to the project `owners`. */
const callers = {
  administrator: admin,
  'member of the owner': 'olga:owners:member',
  'reader of the owner': 'omar:owners:reader',
  'accepted member': 'anna:accepted:member',
  'pending member': 'paul:pending:member',
  'rejected member': 'rosa:rejected:member',
  stranger: 'sven:strangers:member',
  service: 'nova:services:service',
  'nobody of the owner': 'nina:owners:',
} as const;
const members = ['accepted', 'pending', 'rejected'] as const;

type ByVisibility = Readonly<Record<Visibility, string>>;
const rows = (open: string, shared: string, closed: string): ByVisibility => ({
  public: open,
  community: open,
  shared,
  private: closed,
});

// Written from the reference's text. Y: done. F: 403. -: 404, as if there were no image. n: not in the listing.
const seen = rows('YYYYYYY--', 'YYYYYY---', 'YYY------');
const ownerMember = rows('YYFFFFF--', 'YYFFFF---', 'YYF------');
const adminOnly = rows('YFFFFFF--', 'YFFFFF---', 'YFF------');
const byDefault: ByVisibility = {
  public: 'YYYYYYYFF',
  community: 'nYYnnnnFF',
  shared: 'YYYYnnnFF',
  private: 'YYYnnnnFF',
};
const members403 = (shared: string) => rows('FFFFFFF--', shared, 'FFF------');

interface Operation {
  readonly table: ByVisibility;
  /** What the image is before; default: queued. */
  readonly status?: 'active' | 'deactivated' | 'staged';
  /** What happens to it besides. */
  prepare?(gateway: TestGateway, id: string): Promise<unknown>;
  /** Whether the site has a store of URLs too, and shows locations. */
  readonly several?: true;
  ask(gateway: TestGateway, id: string, token: string): Promise<Answer>;
  /** What an answer means where it is not its status alone. */
  told?(answer: Answer, id: string): string;
}

const call =
  (method: string, path: string, document?: unknown): Operation['ask'] =>
  (gateway, id, token) =>
    document === undefined
      ? gateway.ask(path.replace('{id}', id), { method, token })
      : gateway.send(method, path.replace('{id}', id), document, token);
const image = '/v2/images/{id}';
const direct = { method: { name: 'glance-direct' } };
const replaced =
  (field: string, value: unknown): Operation['ask'] =>
  (gateway, id, token) =>
    gateway.patch(`/v2/images/${id}`, [{ op: 'replace', path: `/${field}`, value }], token);
const listing = (query: string): Pick<Operation, 'ask' | 'told'> => ({
  ask: call('GET', `/v2/images?limit=1000&${query}`),
  told: (answer, id) =>
    answer.status === 200 ? (answer.text.includes(id) ? 'Y' : 'n') : told(answer),
});
const fetching = {
  type: 'import',
  input: {
    import_from: 'https://example.org/disk.img',
    import_from_format: 'raw',
    image_properties: {},
  },
};
const creation = (visibility: Visibility, owner?: string): Operation['ask'] =>
  call('POST', '/v2/images', { visibility, ...(owner === undefined ? {} : { owner }) });

let server: FileServer;
before(async () => {
  server = await startFileServer();
  server.put('/', Buffer.from('b'));
});
after(() => server.stop());

/** With a second store, which serves URLs. */
const severalStores: NonNullable<GatewayOptions['change']> = (ports) => ({
  ...ports,
  stores: storesFrom([...ports.stores.all, localHttpStore('web', [server.port])], 'file'),
  showing: { locations: true, directUrl: false },
});

const withLocation: Operation['ask'] = (gateway, id, token) => {
  const value = { url: server.url, metadata: {} };
  return gateway.patch(`/v2/images/${id}`, [{ op: 'add', path: '/locations/-', value }], token);
};

const operations: Readonly<Record<string, Operation>> = {
  'show an image': { table: seen, ask: call('GET', image) },
  'list images': { table: byDefault, ...listing('') },
  'list images of every visibility': {
    table: { ...byDefault, community: 'YYYYYYYFF' },
    ...listing('visibility=all'),
  },
  'list images shared in any status': {
    table: { ...byDefault, shared: 'YYYYYYnFF' },
    ...listing('member_status=all'),
  },
  'list images shared and not answered': {
    table: { ...byDefault, shared: 'YYYnYnnFF' },
    ...listing('member_status=pending'),
  },
  'rename an image': { table: ownerMember, ask: replaced('name', 'new') },
  'hide an image': { table: ownerMember, ask: replaced('os_hidden', true) },
  'give an image away': { table: adminOnly, ask: replaced('owner', 'strangers') },
  'make an image public': { table: adminOnly, ask: replaced('visibility', 'public') },
  'make an image community': { table: ownerMember, ask: replaced('visibility', 'community') },
  'make an image shared': { table: ownerMember, ask: replaced('visibility', 'shared') },
  'make an image private': { table: ownerMember, ask: replaced('visibility', 'private') },
  'delete an image': { table: ownerMember, ask: call('DELETE', image) },
  'add a tag': { table: ownerMember, ask: call('PUT', `${image}/tags/new`) },
  'take a tag off': { table: ownerMember, ask: call('DELETE', `${image}/tags/old`) },
  'upload data': {
    table: ownerMember,
    ask: (gateway, id, token) =>
      gateway.ask(`/v2/images/${id}/file`, {
        method: 'PUT',
        token,
        headers: octets,
        body: Buffer.from('bytes'),
      }),
  },
  'stage data': {
    table: ownerMember,
    ask: (gateway, id, token) =>
      gateway.ask(`/v2/images/${id}/stage`, {
        method: 'PUT',
        token,
        headers: octets,
        body: Buffer.from('bytes'),
      }),
  },
  'import what is staged': {
    table: ownerMember,
    status: 'staged',
    ask: call('POST', `${image}/import`, direct),
  },
  'delete an image that is staged': {
    table: ownerMember,
    status: 'staged',
    ask: call('DELETE', image),
  },
  'download data': {
    table: rows('YYFYYYY--', 'YYFYYY---', 'YYF------'),
    status: 'active',
    ask: call('GET', `${image}/file`),
  },
  'download data of a deactivated image': {
    table: adminOnly,
    status: 'deactivated',
    ask: call('GET', `${image}/file`),
  },
  'deactivate an image': {
    table: ownerMember,
    status: 'active',
    ask: call('POST', `${image}/actions/deactivate`),
  },
  'reactivate an image': {
    table: ownerMember,
    status: 'deactivated',
    ask: call('POST', `${image}/actions/reactivate`),
  },
  'list members': { table: members403('YYYYYY---'), ask: call('GET', `${image}/members`) },
  'show the accepted member': {
    table: rows('---------', 'YYYY-----', '---------'),
    ask: call('GET', `${image}/members/accepted`),
  },
  'add a member': {
    table: members403('YYFFFF---'),
    ask: call('POST', `${image}/members`, { member: 'newcomers' }),
  },
  'answer for the accepted member': {
    table: members403('YFFY-----'),
    ask: call('PUT', `${image}/members/accepted`, { status: 'rejected' }),
  },
  'take the accepted member off': {
    table: members403('YYFFFF---'),
    ask: call('DELETE', `${image}/members/accepted`),
  },
  'list tasks of an image': { table: seen, ask: call('GET', `${image}/tasks`) },
  'ask for a location': {
    table: rows('YYFFFFFY-', 'YYFFFF---', 'YYF------'),
    several: true,
    ask: (gateway, id, token) =>
      call('POST', `${image}/locations`, { url: server.url })(gateway, id, token),
  },
  'fetch locations': {
    table: rows('YFFFFFFY-', 'YFFFFF---', 'YFF------'),
    several: true,
    ask: call('GET', `${image}/locations`),
  },
  'add a location': { table: ownerMember, several: true, ask: withLocation },
  'change the metadata of a location': {
    table: ownerMember,
    several: true,
    prepare: (gateway, id) => done(withLocation(gateway, id, admin)),
    ask: (gateway, id, token) =>
      replaced('locations', [{ url: server.url, metadata: { a: 'b' } }])(gateway, id, token),
  },
  'remove a location': {
    table: adminOnly,
    status: 'active',
    several: true,
    prepare: (gateway, id) => done(withLocation(gateway, id, admin)),
    ask: (gateway, id, token) =>
      gateway.patch(`/v2/images/${id}`, [{ op: 'remove', path: '/locations/1' }], token),
  },
  'remove a copy': {
    table: adminOnly,
    status: 'active',
    several: true,
    prepare: (gateway, id) => done(withLocation(gateway, id, admin)),
    ask: call('DELETE', '/v2/stores/web/{id}'),
  },
};

/** Calls about no image that is there yet; `several` stores as in an operation. */
const onNothing: Readonly<
  Record<string, readonly [expected: string, ask: Operation['ask'], several?: true]>
> = {
  'list stores': ['YYYYYYYYY', call('GET', '/v2/info/stores'), true],
  'read details of stores': ['YFFFFFFYF', call('GET', '/v2/info/stores/detail'), true],
  'create a public image': ['YFFFFFFFF', creation('public')],
  'create a community image': ['YYFYYYYFF', creation('community')],
  'create a shared image': ['YYFYYYYFF', creation('shared')],
  'create a private image': ['YYFYYYYFF', creation('private')],
  'create an image for the owner': ['YYFFFFFFF', creation('private', 'owners')],
  'create a public image for the owner': ['YFFFFFFFF', creation('public', 'owners')],
  'read a schema': ['YYYYYYYYY', call('GET', '/v2/schemas/image')],
  'read import methods': ['YYYYYYYYY', call('GET', '/v2/info/import')],
  'read the usage': ['YYYYYYYYY', call('GET', '/v2/info/usage')],
  'read details of stores, of which there is one': [
    '-FFFFFF-F',
    call('GET', '/v2/info/stores/detail'),
  ],
  'list all tasks': ['YFFFFFFFF', call('GET', '/v2/tasks')],
  'show a task that is not there': ['-FFFFFFFF', call('GET', `/v2/tasks/${randomUUID()}`)],
  'ask for a task': ['YFFFFFFFF', call('POST', '/v2/tasks', fetching)],
  'read the schema of tasks': ['YYYYYYYYY', call('GET', '/v2/schemas/tasks')],
  'list the cache, which is none': ['-FFFFFFFF', call('GET', '/v2/cache')],
  'empty the cache, which is none': ['-FFFFFFFF', call('DELETE', '/v2/cache')],
  'clean the cache, which is none': ['-FFFFFFFF', call('POST', '/v2/cache/clean')],
  'prune the cache, which is none': ['-FFFFFFFF', call('POST', '/v2/cache/prune')],
};

function told({ status }: Answer): string {
  if (status >= 200 && status < 300) return 'Y';
  return { 403: 'F', 404: '-' }[status] ?? ` ${status} `;
}

async function done(answer: Promise<Answer>): Promise<Answer> {
  const { status, text, ...rest } = await answer;
  assert.ok(status < 300, `${status} ${text}`);
  return { status, text, ...rest };
}

/** An image of the owner's that is shared in each way, and then has the visibility. */
async function imageFor(
  gateway: TestGateway,
  visibility: Visibility,
  status: Operation['status'],
): Promise<string> {
  const { ask, send } = gateway;
  const document = { ...rawFormat, owner: 'owners', tags: ['old'] };
  const id = await gateway.create(document, admin);
  const path = `/v2/images/${id}`;
  for (const member of members) {
    await done(send('POST', `${path}/members`, { member }, admin));
    await done(send('PUT', `${path}/members/${member}`, { status: member }, admin));
  }
  const post = { method: 'POST', token: admin };
  const put = { method: 'PUT', token: admin, headers: octets, body: Buffer.from('b') };
  if (status !== undefined)
    await done(ask(`${path}/${status === 'staged' ? 'stage' : 'file'}`, put));
  if (status === 'deactivated') await done(ask(`${path}/actions/deactivate`, post));
  await done(replaced('visibility', visibility)(gateway, id, admin));
  return id;
}

/** Nobody works on imports, so that an image that is refused another time is as it was. */
const start = (t: TestContext, several: true | undefined): Promise<TestGateway> =>
  startGateway(t, {
    change: (ports) => ({
      ...(several ? severalStores(ports) : ports),
      importMethods: ['glance-direct'],
    }),
  });

describe('every operation by every caller', () => {
  const counts: Record<string, number> = {};
  const count = (outcome: string): string => {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    return outcome;
  };

  for (const [what, operation] of Object.entries(operations))
    test(what, async (t) => {
      const { table, status, ask, told: meaning = told, prepare, several } = operation;
      const gateway = await start(t, several);
      const prepared = async (visibility: Visibility): Promise<string> => {
        const id = await imageFor(gateway, visibility, status);
        await prepare?.(gateway, id);
        return id;
      };
      for (const visibility of visibilities) {
        let id = await prepared(visibility);
        let before = await gateway.events(id);
        let row = '';
        for (const token of Object.values(callers)) {
          const outcome = count(meaning(await ask(gateway, id, token), id));
          row += outcome;
          const events = await gateway.events(id);
          if (outcome !== 'Y') assert.deepEqual(events, before, `${what} refused to ${token}`);
          else if (events.length > before.length) {
            id = await prepared(visibility);
            before = await gateway.events(id);
          }
        }
        assert.equal(row, table[visibility], `${what}: ${visibility}`);
      }
    });

  for (const [what, [expected, ask, several]] of Object.entries(onNothing))
    test(what, async (t) => {
      const gateway = await start(t, several);
      let row = '';
      for (const token of Object.values(callers)) row += count(told(await ask(gateway, '', token)));
      assert.equal(row, expected);
    });

  test('was asked in every cell', (t) => {
    const cells = Object.values(counts).reduce((sum, each) => sum + each, 0);
    t.diagnostic(`${cells} cells: ${JSON.stringify(counts)} (Y done, F 403, - 404, n not listed)`);
    const asked = Object.keys(operations).length * 4 + Object.keys(onNothing).length;
    assert.equal(cells, asked * Object.keys(callers).length);
  });
});
