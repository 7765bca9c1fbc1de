import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageEvent } from '../../domain/image/events.ts';
import { ownerMoveIn } from '../../domain/outside/standing.ts';
import { cloudEventOf } from '../../infra/outside/cloud-event.ts';
import { standings } from '../../infra/outside/standings.ts';
import { subjectOf } from '../../infra/outside/subject.ts';
import { life as othersLife } from '../outside/life.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { until } from '../support/until.ts';
import { messagesIn, place, site, strangeSubject } from './harness.ts';

test('tells all of the log once, in order, as documents on the subjects of their projects', async () => {
  const { log, life, startRelay, assertWhole, seed } = await site();
  await life.goOn(300);
  await startRelay();
  const others = othersLife(seed + 1, 8);
  const hasNamespaces = async (): Promise<boolean> =>
    (await log.readAll(0n, 100_000)).some(({ streamId }) => streamId.startsWith('metadef-'));
  do await others.goOn(log, 200);
  while (!(await hasNamespaces()));
  await life.goOn(100);
  const found = await assertWhole();
  const known = standings(log);
  const expected = [];
  for (const event of await log.readAll(0n, 100_000)) {
    const outside = await known.outsideOf(event);
    if (outside === undefined) continue;
    const document = cloudEventOf(event, { ...outside, region: place.region });
    const move = ownerMoveIn(event);
    for (const projectId of move === undefined ? [outside.projectId] : [move.to, move.from])
      expected.push({ subject: subjectOf(event, { region: place.region, projectId }), document });
  }
  assert.deepEqual(
    found.map(({ subject, document }) => ({ subject, document })),
    expected,
  );
  assert.equal(new Set(found.map(({ msgId }) => msgId)).size, found.length);
  for (const kind of ['image', 'metadef'])
    assert.ok(expected.some(({ subject }) => subject.startsWith(`daguerre.v1.RegionOne.${kind}.`)));
});

test('tells the project that an image leaves of that, and of nothing after it', async () => {
  const { server, log, startRelay } = await site();
  const stream = 'image-11111111-2222-4333-8444-555555555555';
  const facts: readonly ImageEvent[] = [
    { type: 'ImageCreated', data: { ...plain, visibility: 'private', owner: 'red' } },
    {
      type: 'ImageUpdated',
      data: { changes: [{ field: 'owner', from: 'red', to: 'blue' }], properties: [] },
    },
    { type: 'TagAdded', data: { tag: 'theirs' } },
    {
      type: 'ImageUpdated',
      data: { changes: [{ field: 'owner', from: 'blue', to: null }], properties: [] },
    },
  ];
  for (const [index, fact] of facts.entries())
    await log.append(stream, [newEvent(fact, `fact ${index}`)], index - 1);
  const relay = await startRelay();
  await until('the log to be told', async () => relay.position() === (await log.head()));
  const connection = await server.connect();
  const all = await messagesIn(connection, place.stream);
  await connection.close();
  const toldTo = (project: string) =>
    all
      .filter(({ subject }) => subject.split('.')[4] === project)
      .map(({ document }) => document.revision);
  assert.deepEqual(toldTo('red'), [0, 1]);
  assert.deepEqual(toldTo('blue'), [1, 2, 3]);
  assert.deepEqual(toldTo('_'), [3]);
  const [, left] = all.filter(({ subject }) => subject.split('.')[4] === 'red');
  assert.equal(left?.document.projectid, 'blue');
  assert.equal(left?.document.formerprojectid, 'red');
});

test('goes on after what is in the stream when it starts again', async () => {
  const { life, startRelay, assertWhole, log } = await site();
  for (let round = 0; round < 4; round++) {
    await life.goOn(50);
    const relay = await startRelay();
    if (round % 2 === 0) await assertWhole();
    await relay.stop();
  }
  const relay = await startRelay();
  await assertWhole();
  await until('it to say so', async () => relay.position() === (await log.head()));
});

test('fills a stream again that was deleted, purged or shortened while nothing happens', async () => {
  const { server, life, startRelay, assertWhole } = await site();
  await life.goOn(100);
  await startRelay();
  const before = await assertWhole();
  const connection = await server.connect();
  const manager = await connection.jetstreamManager();
  await manager.streams.delete(place.stream);
  assert.equal((await assertWhole()).length, before.length);
  await manager.streams.purge(place.stream);
  assert.equal((await assertWhole()).length, before.length);
  await connection.close();
});

test('passes over what others put into the stream, or took from its end', async () => {
  const { server, life, startRelay, log } = await site();
  await life.goOn(50);
  const first = await startRelay();
  await until('the log to be told', async () => first.position() === (await log.head()));
  await first.stop();
  const connection = await server.connect();
  await connection.jetstream().publish(strangeSubject, 'what is this?');
  const manager = await connection.jetstreamManager();
  const { state } = await manager.streams.info(place.stream);
  await manager.streams.deleteMessage(place.stream, state.last_seq - 1);
  await life.goOn(20);
  const second = await startRelay();
  await until('the rest to be told', async () => second.position() === (await log.head()));
  await connection.close();
});

test('an event that is larger than the server takes is told without its data', async () => {
  const { server, log, startRelay, assertWhole, life } = await site();
  await life.goOn(5);
  await log.append('image-11111111-2222-4333-8444-555555555555', [large()], -1);
  await life.goOn(5);
  await startRelay();
  const told = await assertWhole();
  const [without] = told.filter(({ document }) => 'dataref' in document);
  assert.ok(without);
  assert.equal(without.document.data, undefined);
  assert.equal(without.document.dataref, `/events/v1?after=${without.position - 1n}&limit=1`);
  assert.ok(server.port > 0);
});

test('refuses a stream of another shape, by name', async () => {
  const { server, life, startRelay } = await site();
  const connection = await server.connect();
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: place.stream, subjects: ['something.else'] });
  await life.goOn(5);
  const relay = await startRelay();
  await until('it to say so', () =>
    relay.warnings.some((warning) =>
      /JetStream stream DAGUERRE has another shape: subjects is \["something.else"\] and should be .*--nats-stream/.test(
        warning,
      ),
    ),
  );
  await manager.streams.delete(place.stream);
  await until('it to go on by itself', () => relay.position() > 0n);
  await connection.close();
});

test('refuses a stream that was filled from another log', async () => {
  const one = await site();
  await one.life.goOn(20);
  const filling = await one.startRelay();
  await one.assertWhole();
  await filling.stop();
  const other = await site({ server: one.server });
  await other.life.goOn(2);
  const relay = await other.startRelay();
  await until('it to say so', () =>
    relay.warnings.some((warning) => /filled from another log/.test(warning)),
  );
  assert.equal((await one.assertWhole()).length > 0, true);
});

const large = () => ({
  id: '99999999-2222-4333-8444-555555555555',
  type: 'ImageCreated',
  schemaVersion: 1,
  data: {
    name: 'large',
    owner: 'project-a',
    visibility: 'private',
    protected: false,
    hidden: false,
    diskFormat: null,
    containerFormat: null,
    minDisk: 0,
    minRam: 0,
    tags: [],
    properties: Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`property-${index}`, 'x'.repeat(60_000)]),
    ),
  },
  metadata: {
    actor: { kind: 'user' as const, userId: 'ada', projectId: 'project-a', roles: [] },
    requestId: 'req-1',
    causationId: 'command-1',
    correlationId: 'req-1',
  },
});
