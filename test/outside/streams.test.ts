import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { Stalled, writeTo } from '../../apps/gateway/events/outlet.ts';
import { usualPace } from '../../apps/gateway/events/stream.ts';
import { TokenRefused } from '../../infra/identity/keystone/errors.ts';
import { visible } from '../../infra/read-model/visible.ts';
import type { EventFilter, Events, Told } from '../../projections/events/events.ts';
import { eventsProjection } from '../../projections/events/projection.ts';
import { eventQueries } from '../../projections/events/queries.ts';
import { random } from '../projections/history.ts';
import { migrations, startProjector } from '../projections/read-model.ts';
import { recorded } from '../projections/recorded.ts';
import { admin, alice, bob, startGateway, type TestGateway } from '../support/gateway.ts';
import { memoryEvents } from '../support/gateway-events.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { silent } from '../support/silent-log.ts';
import { generousMs, until } from '../support/until.ts';
import { life } from './life.ts';
import { openStream, type SseClient } from './sse.ts';

const seed = seedOfThisRun();

type Change = Partial<TestGateway['ports']['events']>;

const open = (
  gateway: TestGateway,
  query = '',
  { token = alice, ...headers }: Record<string, string> = {},
): Promise<SseClient> =>
  openStream(gateway.url, `/events/v1/stream${query}`, { 'X-Auth-Token': token, ...headers });

const typesOf = ({ events }: Pick<SseClient, 'events'>): readonly string[] =>
  events.map(({ document }) => String(document.type).split('.').at(-1) ?? '');

const inMemory = (t: TestContext, change: Change = {}): Promise<TestGateway> =>
  startGateway(t, { change: (ports) => ({ ...ports, events: { ...ports.events, ...change } }) });

/** The same gateway, with events from a read model in Postgres that a projector keeps. */
async function onPostgres(t: TestContext, change: Change = {}): Promise<TestGateway> {
  const { url, pool } = await testDatabase(migrations);
  const shown = visible(pool, url, { log: silent, models: ['events'] });
  const gateway = await inMemory(t, {
    facts: eventQueries(pool, { scan: 40 }),
    visible: shown,
    ...change,
  });
  const projector = startProjector(pool, gateway.ports.log, {
    projection: eventsProjection as never,
  });
  t.after(async () => {
    await projector.stop();
    await shown.close();
  });
  await projector.ready;
  return gateway;
}

for (const [name, start] of [
  ['in memory', inMemory],
  ['in Postgres', onPostgres],
] as const)
  describe(`a stream of events ${name}`, () => {
    test('begins now, and tells at once', async (t) => {
      const gateway = await start(t);
      await gateway.create();
      await until(
        'the read model',
        async () => (await gateway.ports.events.facts.checkpoint()) >= 1n,
      );
      const stream = await open(gateway);
      assert.equal(stream.status, 200);
      assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
      const id = await gateway.create();
      const [event] = await stream.until(1);
      assert.equal(event?.document.subject, `image/${id}`);
      assert.equal(event?.id, event?.document.position);
      stream.close();
    });

    test('has the same documents as a page', async (t) => {
      const gateway = await start(t);
      await gateway.createActive(Buffer.from('bytes'));
      const stream = await open(gateway, '?after=0');
      const events = await stream.until(7);
      const page = (await gateway.ask('/events/v1')).json().events;
      assert.deepEqual(
        events.map(({ document }) => document),
        page,
      );
      stream.close();
    });

    test('goes on after the last event that a client names, whatever its URL says', async (t) => {
      const gateway = await start(t);
      for (const step of [1, 2, 3]) await gateway.create({ name: `image ${step}` });
      const stream = await open(gateway, '?after=0', { 'Last-Event-ID': '2' });
      await stream.until(1);
      await gateway.create({ name: 'image 4' });
      await stream.until(2);
      assert.deepEqual(
        stream.events.map(({ document }) => (document.data as { name: string }).name),
        ['image 3', 'image 4'],
      );
      stream.close();
    });

    test('that is cut off before its first event has told where to go on', async (t) => {
      const gateway = await start(t);
      const stream = await open(gateway);
      await until('its first lines', () => stream.lastId() !== '');
      stream.close();
      await gateway.create();
      const again = await open(gateway, '', { 'Last-Event-ID': stream.lastId() });
      assert.deepEqual(typesOf({ events: await again.until(1) }), ['ImageCreated']);
      again.close();
    });

    test('is filtered and has its tenancy', async (t) => {
      const gateway = await start(t);
      const streams = {
        alice: await open(gateway),
        bob: await open(gateway, '', { token: bob }),
        tags: await open(gateway, '?type=TagAdded', { token: admin }),
        blue: await open(gateway, '?project=blue', { token: admin }),
        all: await open(gateway, '', { token: admin }),
      };
      const one = await gateway.create({ visibility: 'private' });
      await gateway.ask(`/v2/images/${one}/tags/x`, { method: 'PUT' });
      await gateway.create({ visibility: 'private' }, bob);
      await gateway.create({ visibility: 'public' }, admin);
      await streams.all.until(4);
      await streams.alice.until(3);
      await streams.bob.until(2);
      await streams.tags.until(1);
      await streams.blue.until(1);
      const last = await gateway.create({ visibility: 'private' });
      await gateway.ask(`/v2/images/${last}/tags/end`, { method: 'PUT' });
      await gateway.create({ visibility: 'private' }, bob);
      await streams.all.until(7);
      await streams.bob.until(3);
      await streams.blue.until(2);
      await streams.tags.until(2);
      await streams.alice.until(5);
      assert.deepEqual(typesOf(streams.tags), ['TagAdded', 'TagAdded']);
      assert.ok(streams.blue.events.every(({ document }) => document.projectid === 'blue'));
      const foreign = streams.bob.events.filter(({ document }) => document.projectid !== 'blue');
      assert.deepEqual(typesOf({ events: foreign }), ['ImageCreated']);
      assert.equal(foreign[0]?.document.actorid, undefined);
      for (const stream of Object.values(streams)) stream.close();
    });

    test(`is without gap or repeat for readers that come and go while others write (seed ${seed})`, async (t) => {
      const keep = { facts: 25, weight: 1_000_000 };
      const gateway = await start(t, { keep });
      const { log } = gateway.ports;
      const next = random(seed);
      const lives = life(seed, 8);
      await lives.goOn(log, 60);
      const readers: readonly { token: string; query: string; filter: EventFilter }[] = [
        { token: admin, query: '', filter: {} },
        { token: 'r:red:member', query: '', filter: {} },
        { token: 'b:blue:member', query: 'type=TagAdded', filter: { types: ['TagAdded'] } },
        { token: 's:*:reader', query: '', filter: {} },
        { token: admin, query: 'project=red', filter: { project: 'red' } },
      ];
      let written = false;
      const write = async (): Promise<void> => {
        for (let round = 0; round < 40; round += 1) {
          await lives.goOn(log, 1 + Math.floor(next() * 12));
          await new Promise((resolve) => setTimeout(resolve, next() * 15));
        }
        written = true;
      };
      const read = async ({
        token,
        query,
      }: (typeof readers)[number]): Promise<readonly string[]> => {
        const got: string[] = [];
        let at = '0';
        for (;;) {
          const final = written;
          const stream = await open(gateway, `?${query}`, { token, 'Last-Event-ID': at });
          if (final) {
            const expected = await wanted(gateway, token, query);
            await stream.until(expected.filter((id) => BigInt(id) > BigInt(at)).length);
          } else if (next() < 0.3)
            await until('some events', () => written || stream.events.length > next() * 20);
          else await new Promise((resolve) => setTimeout(resolve, next() * 60));
          stream.close();
          got.push(...stream.events.map(({ id }) => id));
          at = stream.lastId() || at;
          if (final) return got;
        }
      };
      const wanted = async (from: TestGateway, token: string, query: string) => {
        const reader = readers.find((one) => one.token === token && one.query === query);
        const [, projectId = '', role] = token.split(':');
        const upTo = await log.head();
        const { events } = await memoryEvents(from.ports.log).page({
          viewer: { projectId, isAdmin: role === 'admin' },
          filter: reader?.filter ?? {},
          after: 0n,
          upTo,
          limit: 100_000,
        });
        return events.map(({ event }: Told) => String(event.position));
      };
      const [, ...got] = await Promise.all([write(), ...readers.map(read)]);
      for (const [index, reader] of readers.entries()) {
        const expected = await wanted(gateway, reader.token, reader.query);
        assert.ok(expected.length > 0, reader.query);
        assert.deepEqual(got[index], expected, JSON.stringify(reader));
      }
    });

    test('serves fifty at once, each in order and whole', async (t) => {
      const gateway = await start(t);
      const clients = await Promise.all(Array.from({ length: 50 }, () => open(gateway)));
      const lives = life(seed, 5);
      await lives.goOn(gateway.ports.log, 200);
      const marker = await gateway.create({ name: 'the last' });
      const whole = await until('the last event', () =>
        clients.every(({ events }) => events.at(-1)?.document.subject === `image/${marker}`),
      );
      assert.ok(whole);
      const [first] = clients;
      for (const client of clients)
        assert.deepEqual(
          client.events.map(({ id }) => id),
          first?.events.map(({ id }) => id),
        );
      for (const client of clients) client.close();
    });
  });

describe('a stream of events', () => {
  const eager = { heartbeatMs: 20, recheckMs: 20, stallMs: 300 };

  test('says now and then that it is still there', async (t) => {
    const gateway = await inMemory(t, { pace: { ...usualPace, heartbeatMs: 5 } });
    const stream = await open(gateway);
    await until('two comments', () => stream.comments.length >= 2);
    stream.close();
  });

  test('ends when the token does', async (t) => {
    let valid = true;
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        events: { ...ports.events, pace: eager },
        identity: {
          async identify(headers, wish) {
            if (!valid) throw new TokenRefused('http://keystone');
            return ports.identity.identify(headers, wish);
          },
        },
      }),
    });
    const stream = await open(gateway);
    await gateway.create();
    await stream.until(1);
    valid = false;
    assert.equal(await stream.ended, true);
  });

  test('shows a caller that is no administrator any more only what is its own', async (t) => {
    let role = 'admin';
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        events: { ...ports.events, pace: { ...eager, recheckMs: 0 } },
        identity: {
          identify: (headers, wish) =>
            headers['x-auth-token'] === 'turning'
              ? ports.identity.identify({ 'x-auth-token': `t:red:${role}` }, wish)
              : ports.identity.identify(headers, wish),
        },
      }),
    });
    const stream = await open(gateway, '', { token: 'turning' });
    await gateway.create({ visibility: 'private' }, bob);
    await stream.until(1);
    role = 'member';
    await gateway.create({ visibility: 'private' }, bob);
    await gateway.create({ visibility: 'private' });
    await stream.until(2);
    assert.deepEqual(
      stream.events.map(({ document }) => document.projectid),
      ['blue', 'red'],
    );
    stream.close();
  });

  test('ends in good order when the gateway stops', async (t) => {
    const gateway = await inMemory(t);
    const stream = await open(gateway);
    await gateway.create();
    await stream.until(1);
    const stopped = gateway.stop(60_000);
    assert.equal(await stream.ended, true);
    await stopped;
  });

  test('that nobody reads is cut off, and its client finds its place again', async (t) => {
    const [event] = recorded('large', [{ type: 'TagAdded', data: { tag: 'x'.repeat(100_000) } }]);
    assert.ok(event);
    // Far more than the buffers of a connection hold, made as it is asked for.
    const upTo = 100_000n;
    const facts: Events = {
      checkpoint: async () => upTo,
      async page({ after, limit }) {
        const events = Array.from({ length: limit }, (_, index) => ({
          event: { ...event, position: after + BigInt(index) + 1n },
          projectId: null,
          formerProjectId: null,
          readers: 'everyone' as const,
        }));
        return { events, next: after + BigInt(limit) };
      },
    };
    const pace = { ...usualPace, stallMs: 300 };
    const gateway = await inMemory(t, { facts, pace });
    const stream = await open(gateway, '?after=0');
    stream.pause();
    const openStreams = async (): Promise<string | undefined> =>
      /event_streams\S* (\d+)/.exec((await gateway.ask('/metrics')).text)?.[1];
    await until('the stream to be given up', async () => (await openStreams()) === '0');
    stream.resume();
    await stream.ended;
    assert.ok(stream.events.length < Number(upTo), 'it was not given all');
    const again = await open(gateway, '', { 'Last-Event-ID': stream.lastId() });
    const [first] = await again.until(1);
    assert.equal(first?.id, String(stream.events.length + 1));
    again.close();
  });

  test('waits for room, for a while, and no longer than it has a client', async () => {
    const response = Object.assign(new EventEmitter(), { write: () => false });
    const full = response as unknown as ServerResponse;
    const never = new AbortController();
    await assert.rejects(writeTo(full, 'x', 1, never.signal), Stalled);
    const roomy = writeTo(full, 'x', generousMs, never.signal);
    response.emit('drain');
    await roomy;
    const gone = writeTo(full, 'x', generousMs, never.signal);
    never.abort();
    await gone;
    assert.equal(response.listenerCount('drain'), 0);
  });
});
