import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Call } from '../../apps/gateway/call.ts';
import {
  defaultBounds,
  type Refusal,
  type RefusalBounds,
  recordRefusals,
} from '../../apps/gateway/refusals.ts';
import { AppendUnknown, type EventLog, LogUnavailable } from '../../domain/event-log.ts';
import type { RequestRefused } from '../../domain/request-refused.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { admin, alice, bob, octets, reader, startGateway } from '../support/gateway.ts';

const noon = new Date('2026-05-01T12:00:00Z');

type Told = RequestRefused['data'] & { readonly by: string };

/** What the log says was refused, oldest first. */
async function toldIn(log: Pick<EventLog, 'readAll'>): Promise<readonly Told[]> {
  const events = await log.readAll(0n, 10_000);
  const refused = events.filter(({ streamId }) => streamId.startsWith('refusals-'));
  return refused.map(({ data, metadata: { actor } }) => ({
    ...(data as unknown as RequestRefused['data']),
    by: actor.kind === 'user' ? actor.userId : actor.part,
  }));
}

const callOf = (userId: string): Call => ({
  caller: { userId, projectId: 'blue', roles: ['reader'] },
  person: { userId, userName: userId, remoteAddress: '', userAgent: '' },
  requestId: `req-${userId}`,
  correlationId: randomUUID(),
});
const deletion = (target: string): Refusal => ({
  action: 'DELETE /v2/images/:imageId',
  rule: 'delete_image',
  target,
  code: 'not-allowed',
});

/** A recorder whose windows end when the test says so. */
function recorder(
  log: Pick<EventLog, 'readStream' | 'append'>,
  { bounds = defaultBounds, now = () => noon }: { bounds?: RefusalBounds; now?: () => Date } = {},
) {
  const personal = { remember: async () => 'hash' };
  return recordRefusals({
    writer: `gateway-${randomUUID()}`,
    log,
    personal,
    logger: logger('refusals', 'silent'),
    now,
    windowMs: 2 ** 30,
    bounds,
  });
}

const emptyLog = () => memoryEventLog({ upcast: (event) => event });

describe('a refusal', () => {
  test('is in the log before it is answered, with who, what and why', async (t) => {
    const gateway = await startGateway(t);
    const hidden = await gateway.create();
    const open = await gateway.create({ visibility: 'community' });
    const full = await gateway.createActive(new Uint8Array([1, 2, 3]), { visibility: 'community' });
    const path = `/v2/images/${hidden}`;
    const rename = [{ op: 'replace', path: '/name', value: 'x' }];
    const put = { method: 'PUT', headers: octets, body: new Uint8Array([1]) };
    const asked: readonly [() => Promise<{ status: number }>, number, Omit<Told, 'count'>][] = [
      [
        () => gateway.ask(path, { token: bob }),
        404,
        {
          by: 'bob',
          action: 'GET /v2/images/:imageId',
          rule: 'get_image',
          target: hidden,
          code: 'image-unknown',
        },
      ],
      [
        () => gateway.patch(path, rename, bob),
        404,
        {
          by: 'bob',
          action: 'PATCH /v2/images/:imageId',
          rule: 'modify_image',
          target: hidden,
          code: 'image-unknown',
        },
      ],
      [
        () => gateway.patch(path, rename, reader),
        403,
        {
          by: 'rita',
          action: 'PATCH /v2/images/:imageId',
          rule: 'modify_image',
          target: hidden,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.patch(path, [{ op: 'replace', path: '/owner', value: 'blue' }]),
        403,
        {
          by: 'alice',
          action: 'PATCH /v2/images/:imageId',
          rule: 'modify_image',
          target: hidden,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.ask(`/v2/images/${open}/file`, { ...put, token: bob }),
        403,
        {
          by: 'bob',
          action: 'PUT /v2/images/:imageId/file',
          rule: 'upload_image',
          target: open,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.ask(`/v2/images/${full}/file`, { token: reader }),
        403,
        {
          by: 'rita',
          action: 'GET /v2/images/:imageId/file',
          rule: 'download_image',
          target: full,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.send('POST', '/v2/images', { visibility: 'public' }),
        403,
        {
          by: 'alice',
          action: 'POST /v2/images',
          rule: 'publicize_image',
          target: null,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.send('POST', '/v2/images', {}, 'rita:green:reader'),
        403,
        {
          by: 'rita',
          action: 'POST /v2/images',
          rule: 'add_image',
          target: null,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.ask('/v2/images', { token: 'nina:blue:' }),
        403,
        {
          by: 'nina',
          action: 'GET /v2/images',
          rule: 'get_images',
          target: null,
          code: 'not-allowed',
        },
      ],
      [
        () => gateway.ask(`/v2/images?marker=${hidden}`, { token: bob }),
        403,
        {
          by: 'bob',
          action: 'GET /v2/images',
          rule: 'get_image',
          target: hidden,
          code: 'image-unknown',
        },
      ],
    ];
    const expected: Told[] = [];
    for (const [ask, status, told] of asked) {
      assert.equal((await ask()).status, status);
      expected.push({ ...told, count: 1 });
      assert.deepEqual(await toldIn(gateway.ports.log), expected);
    }
  });

  test('of what is not there, or not in a state for it, is none of a rule', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ protected: true });
    const remove = { method: 'DELETE' };
    assert.equal((await gateway.ask(`/v2/images/${randomUUID()}`, remove)).status, 404);
    assert.equal((await gateway.ask(`/v2/images/${randomUUID()}`)).status, 404);
    assert.equal((await gateway.ask(`/v2/images/${id}`, remove)).status, 403);
    assert.equal((await gateway.ask(`/v2/images/${id}/tags/none`, remove)).status, 404);
    assert.equal((await gateway.ask(`/v2/images/${id}/members/none`, remove)).status, 404);
    assert.deepEqual(await toldIn(gateway.ports.log), []);
  });

  test('of a member that is another project’s is one', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    const members = `/v2/images/${id}/members`;
    for (const member of ['blue', 'green']) await gateway.send('POST', members, { member });
    assert.equal((await gateway.ask(`${members}/green`, { token: bob })).status, 404);
    const [told] = await toldIn(gateway.ports.log);
    assert.deepEqual([told?.rule, told?.target, told?.code], ['get_member', id, 'member-unknown']);
  });

  test('does not show in the read model, and its answer is that of what is not there', async (t) => {
    const gateway = await startGateway(t);
    const hidden = await gateway.create();
    const unknown = randomUUID();
    for (const method of ['GET', 'DELETE']) {
      const answers = [];
      for (const id of [hidden, unknown])
        answers.push(
          (await gateway.ask(`/v2/images/${id}`, { method, token: bob })).text.replaceAll(id, ''),
        );
      assert.equal(answers[0], answers[1]);
    }
    const listed = (await gateway.ask('/v2/images', { token: admin })).json().images;
    assert.equal((listed as unknown[]).length, 1);
  });
});

describe('repeated refusals', () => {
  test('are counted, and told as a number when the window ends', async () => {
    const log = emptyLog();
    const refusals = recorder(log);
    for (let time = 0; time < 50; time += 1) await refusals.record(callOf('bob'), deletion('a'));
    await refusals.record(callOf('bob'), deletion('b'));
    await refusals.record(callOf('eve'), deletion('a'));
    const firsts = [
      { ...deletion('a'), by: 'bob', count: 1 },
      { ...deletion('b'), by: 'bob', count: 1 },
      { ...deletion('a'), by: 'eve', count: 1 },
    ];
    assert.deepEqual(await toldIn(log), firsts);
    await Promise.all([refusals.endWindow(), refusals.endWindow()]);
    const counts = [{ ...deletion('a'), by: 'bob', count: 49 }];
    assert.deepEqual(await toldIn(log), [...firsts, ...counts]);
    await refusals.endWindow();
    await refusals.record(callOf('bob'), deletion('a'));
    await refusals.stop();
    assert.deepEqual(await toldIn(log), [...firsts, ...counts, firsts[0]]);
  });

  test('of one actor with ever other targets take a bounded number of events', async () => {
    const log = emptyLog();
    const refusals = recorder(log, { bounds: { kindsPerActor: 5, kinds: 8, actors: 2 } });
    const flood = async (userId: string, count: number) => {
      for (let time = 0; time < count; time += 1)
        await refusals.record(callOf(userId), deletion(`${time}`));
    };
    await flood('bob', 1000);
    await flood('eve', 100);
    await flood('joe', 10);
    await flood('kim', 1);
    assert.equal((await toldIn(log)).length, 8);
    await refusals.stop();
    const several = { action: null, rule: null, target: null, code: null };
    assert.deepEqual((await toldIn(log)).slice(8), [
      { ...several, by: 'bob', count: 995 },
      { ...several, by: 'eve', count: 97 },
      { ...several, by: 'gateway', count: 11 },
    ]);
    const sum = (await toldIn(log)).reduce((total, { count }) => total + count, 0);
    assert.equal(sum, 1111);
  });

  test('at the same moment are one event and a number', async () => {
    const log = emptyLog();
    const refusals = recorder(log);
    await Promise.all(
      Array.from({ length: 20 }, () => refusals.record(callOf('bob'), deletion('a'))),
    );
    await refusals.stop();
    assert.deepEqual(
      (await toldIn(log)).map(({ count }) => count),
      [1, 19],
    );
  });
});

describe('the stream of refusals', () => {
  test('is one a day, by UTC', async () => {
    const log = emptyLog();
    let now = new Date('2026-05-01T23:59:59.999Z');
    const refusals = recorder(log, { now: () => now });
    await refusals.record(callOf('bob'), deletion('a'));
    now = new Date('2026-05-02T00:00:00Z');
    await refusals.record(callOf('bob'), deletion('b'));
    await refusals.stop();
    const streams = (await log.readAll(0n, 100)).map(({ streamId }) => streamId);
    assert.deepEqual(
      streams.map((stream) => stream.slice(0, 'refusals-2026-05-01-gateway'.length)),
      ['refusals-2026-05-01-gateway', 'refusals-2026-05-02-gateway'],
    );
  });

  test('is shared by gateways without losing a refusal of either', async () => {
    const log = emptyLog();
    const [one, other] = [recorder(log), recorder(log)];
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 ? one : other).record(callOf(`user-${index}`), deletion('a')),
      ),
    );
    await Promise.all([one.stop(), other.stop()]);
    const told = await toldIn(log);
    assert.equal(told.length, 40);
    assert.equal(new Set(told.map(({ by }) => by)).size, 40);
  });

  test('is not held up by what can never be stored', async () => {
    const log = emptyLog();
    const refusals = recorder({
      readStream: log.readStream,
      async append(stream, events, expected) {
        if (events.some(({ metadata }) => JSON.stringify(metadata).includes('poison')))
          throw new Error('unsupported Unicode escape sequence');
        return log.append(stream, events, expected);
      },
    });
    await Promise.all(
      ['bob', 'poison', 'eve'].flatMap((user) =>
        [1, 2].map(() => refusals.record(callOf(user), deletion('a'))),
      ),
    );
    await refusals.stop();
    assert.deepEqual(
      (await toldIn(log)).map(({ by, count }) => [by, count]),
      [
        ['bob', 1],
        ['eve', 1],
        ['bob', 1],
        ['eve', 1],
      ],
    );
  });

  test('gets an event once, whose append had no answer', async () => {
    const log = emptyLog();
    let lost = 1;
    const refusals = recorder({
      readStream: log.readStream,
      async append(stream, events, expected) {
        const position = await log.append(stream, events, expected);
        if (lost-- > 0) throw new AppendUnknown(stream, new Error('connection lost'));
        return position;
      },
    });
    await refusals.record(callOf('bob'), deletion('a'));
    await refusals.stop();
    assert.deepEqual(await toldIn(log), [{ ...deletion('a'), by: 'bob', count: 1 }]);
  });

  test('that is out of reach makes nothing allowed, and is told of all later', async (t) => {
    const log = emptyLog();
    let reachable = false;
    const refusals = recorder({
      readStream: log.readStream,
      async append(...args) {
        if (reachable) return log.append(...args);
        throw new LogUnavailable(new Error('down'));
      },
    });
    const gateway = await startGateway(t, { change: (ports) => ({ ...ports, refusals }) });
    const id = await gateway.create();
    for (let time = 0; time < 3; time += 1)
      assert.equal((await gateway.ask(`/v2/images/${id}`, { token: bob })).status, 404);
    await refusals.endWindow();
    assert.deepEqual(await toldIn(log), []);
    reachable = true;
    await refusals.stop();
    assert.deepEqual(
      (await toldIn(log)).map(({ by, target, count }) => [by, target, count]),
      [['bob', id, 3]],
    );
    assert.equal((await gateway.ask(`/v2/images/${id}`, { token: alice })).status, 200);
  });
});
