import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { byHand } from '../../apps/webhooks/by-hand.ts';
import { eventsLane } from '../../infra/bus/nats/lanes.ts';
import { relayHeaders } from '../../infra/bus/nats/relayed.ts';
import { asyncApi } from '../../infra/outside/async-api.ts';
import { schemaFiles } from '../../infra/outside/schema-files.ts';
import { webhookPoster } from '../../infra/webhooks/post.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { place } from '../relay/harness.ts';
import { admin, alice, bob, startGateway } from '../support/gateway.ts';
import { closed, misfits } from '../support/json-schema.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { receiver } from '../webhooks/receiver.ts';
import { guardFor, site, unguarded } from '../webhooks/site.ts';
import { brokenRules } from './async-api-rules.ts';
import { life } from './life.ts';
import { openStream } from './sse.ts';

type Document = Readonly<Record<string, unknown>>;

const seed = seedOfThisRun();
const schemaNamed = (id: unknown): unknown => {
  const found = [...schemaFiles.values()].find(({ $id }) => $id === id);
  return found ?? assert.fail(`nothing is published under ${id}`);
};
const exact = new Map<unknown, unknown>();
const exactly = (id: unknown): unknown => {
  if (!exact.has(id)) exact.set(id, closed(schemaNamed(id)));
  return exact.get(id);
};

/** Asserts that they are what is published about them, with nothing beside. */
function assertExact(documents: readonly Document[]): void {
  const envelopes = documents.map((document) => ({
    schema: exactly('urn:daguerre:events:v1:cloudevent'),
    document,
  }));
  const data = documents
    .filter((document) => 'data' in document)
    .map((document) => ({ schema: exactly(document.dataschema), document: document.data }));
  assert.deepEqual(misfits([...envelopes, ...data]), []);
}

describe('every document', () => {
  test('on each of the four ways is what the schemas say, and no more', async (t) => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url, { project: null });
    await at.register(`${hook.url}/red`);
    await life(seed, 6).goOn(at.log, 250);
    const image = { type: 'ImageCreated', data: { ...plain, owner: 'red' } } as const;
    const moved = {
      type: 'ImageUpdated',
      data: { changes: [{ field: 'owner', from: 'red', to: 'blue' }], properties: [] },
    } as const;
    for (const [index, fact] of [image, moved].entries())
      await at.log.append('image-1', [newEvent(fact, `a move ${index}`)], index - 1);

    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        events: { ...ports.events, facts: at.events, visible: at.events },
      }),
    });
    const pages: Document[] = [];
    for (const token of [admin, alice, bob]) {
      const answer = await gateway.ask('/events/v1?limit=1000', { token });
      const { events } = answer.json() as { events: readonly Document[] };
      assert.ok(events.length > 10);
      pages.push(...events);
      const headers = { 'X-Auth-Token': token };
      const stream = await openStream(gateway.url, '/events/v1/stream?after=0', headers);
      const streamed = await stream.until(events.length);
      stream.close();
      assert.deepEqual(
        streamed.map(({ document }) => document),
        events,
      );
    }
    assertExact(pages);

    at.deliverer();
    const last = (await at.log.readAll(0n, 1_000)).at(-1);
    await until('the webhooks to be told', () =>
      ['/hook', '/hook/red'].every((path) =>
        hook.accepted.some((one) => one.path === path && one.document.id === last?.id),
      ),
    );
    assertExact(hook.accepted.map(({ document }) => document));

    const lane = eventsLane(at.log, place);
    const messages: Document[] = [];
    for (const event of await at.log.readAll(0n, 1_000))
      for (const maxBytes of [1_000_000, 900])
        for (const { body } of await lane.messagesOf(event, maxBytes))
          messages.push(JSON.parse(Buffer.from(body).toString()));
    assert.ok(messages.some((document) => 'dataref' in document && !('data' in document)));
    assertExact(messages);
  });

  test('that tries a webhook is what its own schema says', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url);
    const state = await at.webhooks.read(id);
    assert.ok('secrets' in state);
    const poster = webhookPoster({
      guard: guardFor(hook.port),
      allowHttp: true,
      timeoutMs: 5_000,
    });
    const hand = byHand({ ...at, poster, region: 'RegionOne', imageAccess: unguarded });
    await hand.test({ ...state, id, url: hook.url } as never);
    poster.close();
    const [sent] = hook.accepted;
    const { payload } = (asyncApi.components as { messages: { Test: { payload: unknown } } })
      .messages.Test;
    assert.deepEqual(
      misfits([{ schema: closed(payload), document: sent?.document }], 'Draft7Validator'),
      [],
    );
    assert.ok(schemaNamed(sent?.document.dataschema));
  });

  test('with a field too many, too few or of another kind is told from that', () => {
    const whole: Document = {
      specversion: '1.0',
      id: randomUUID(),
      source: '/daguerre/RegionOne',
      type: 'daguerre.v1.image.TagAdded',
      subject: 'image/1',
      time: '2026-05-01T00:00:01.001Z',
      datacontenttype: 'application/json',
      dataschema: 'urn:daguerre:events:v1:image.TagAdded',
      revision: 0,
      position: '1',
      region: 'RegionOne',
      data: { tag: 'x' },
    };
    assertExact([whole]);
    const { data, ...without } = whole;
    for (const broken of [
      { ...whole, colour: 'red' },
      { ...whole, data: { tag: 'x', colour: 'red' } },
      { ...whole, dataref: '/events/v1?after=0&limit=1' },
      { ...whole, position: 1 },
      without,
    ])
      assert.throws(() => assertExact([broken]), assert.AssertionError);
  });
});

describe('what AsyncAPI says', () => {
  test('keeps the rules of AsyncAPI 3, for each of the four ways', () => {
    assert.deepEqual(brokenRules(asyncApi), []);
    assert.deepEqual(Object.keys(asyncApi.channels as object), [
      'bus',
      'stream',
      'pages',
      'webhook',
    ]);
    assert.deepEqual(Object.keys(asyncApi.operations as object), [
      'bus',
      'stream',
      'pages',
      'webhook',
    ]);
    const { CloudEvent, ...headers } = (asyncApi.components as { schemas: Document }).schemas;
    assert.ok(CloudEvent);
    const named = Object.keys((headers.JetStreamHeaders as { properties: object }).properties);
    for (const header of Object.values(relayHeaders)) assert.ok(named.includes(header), header);
  });

  test('breaks them where it is changed so', () => {
    const { channels, operations } = asyncApi as Record<string, Record<string, Document>>;
    const changed = (name: string, change: object): unknown => ({
      ...asyncApi,
      channels: { ...channels, [name]: { ...channels?.[name], ...change } },
    });
    for (const broken of [
      { ...asyncApi, colour: 'red' },
      changed('bus', { parameters: {} }),
      changed('pages', { address: '/events/v1?after={after}' }),
      changed('stream', { address: '/events/v1' }),
      changed('webhook', { messages: { Test: { $ref: '#/components/messages/None' } } }),
      {
        ...asyncApi,
        operations: {
          ...operations,
          bus: { ...operations?.bus, channel: { $ref: '#/channels/pages' } },
        },
      },
    ])
      assert.notDeepEqual(brokenRules(broken), []);
  });

  test('has payloads that are schemas, of draft 7 as all of AsyncAPI', () => {
    const { messages, schemas } = asyncApi.components as Record<
      string,
      Record<string, { readonly payload: unknown }>
    >;
    const every = Object.values(messages ?? {}).map(({ payload }) => ({
      schema: { ...(payload as object), components: { schemas } },
      document: null,
    }));
    assert.ok(every.length > 30);
    assert.doesNotThrow(() => misfits(every, 'Draft7Validator'));
    const none = { schema: { type: 'colour' }, document: null };
    assert.throws(() => misfits([none], 'Draft7Validator'), /colour/);
  });
});
