import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  EventStoreDBClient,
  jsonEvent,
  NO_STREAM,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { AppendUnknown, type EventLog, LogUnavailable } from '../../domain/event-log.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { noted } from '../contracts/noted.ts';
import {
  type DoubleOptions,
  type EventStoreDbDouble,
  eventStoreDbDouble,
} from '../support/eventstoredb-double/double.ts';
import type { Fault } from '../support/eventstoredb-double/stream-calls.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

const open = (url: string, timeoutMs?: number): EventLog =>
  eventStoreDbEventLog(url, {
    log: silent,
    upcast: (event) => event,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });

describe('an append to EventStoreDB (a protocol double)', () => {
  const opened: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];
  let double: EventStoreDbDouble;
  let log: EventLog;
  const start = async (options?: DoubleOptions) => {
    const one = await eventStoreDbDouble(options);
    opened.push(one);
    return one;
  };
  const connect = (url: string, timeoutMs?: number) => {
    const one = open(url, timeoutMs);
    opened.unshift(one);
    return one;
  };
  before(async () => {
    double = await start();
    log = connect(double.url);
  });
  after(async () => {
    for (const one of opened) await (one.close?.() ?? one.stop?.());
  });

  const recorded = async (stream: string) =>
    (await log.readStream(stream)).events.map(({ data }) => data.note);

  for (const [fault, error, isRecorded] of [
    ['lost-before', AppendUnknown, false],
    ['lost-after', AppendUnknown, true],
    ['timed-out', AppendUnknown, true],
    ['not-ready', LogUnavailable, false],
  ] as const satisfies readonly (readonly [Fault, unknown, boolean])[])
    test(`that meets "${fault}" is ${error.name}`, async () => {
      double.fault(fault);
      await assert.rejects(log.append(fault, [noted('once')], -1), error);
      assert.deepEqual(await recorded(fault), isRecorded ? ['once'] : []);
      await log.append(fault, [noted('next')], isRecorded ? 0 : -1);
    });

  test('that is never answered is unknown once its time is over', async () => {
    const hasty = connect(double.url, 200);
    double.fault('unanswered');
    await assert.rejects(hasty.append('unanswered', [noted('once')], -1), AppendUnknown);
    assert.deepEqual(await recorded('unanswered'), ['once']);
  });

  test('that cannot be sent is told as that, and so is each read', async () => {
    const gone = await start();
    const orphan = connect(gone.url);
    await orphan.append('before', [noted('')], -1);
    await gone.stop();
    await until('the lost connection to be noticed', () =>
      orphan.head().then(
        () => false,
        () => true,
      ),
    );
    for (const failing of [
      () => orphan.append('any', [noted('')], -1),
      () => orphan.readStream('any'),
      () => orphan.readAll(0n, 1),
      () => orphan.head(),
    ])
      await assert.rejects(failing, LogUnavailable);
    const again = await start({ log: gone.log, port: gone.port });
    await until('the log to be reached again', () =>
      orphan.append('after', [noted('')], -1).then(
        () => true,
        (error) => {
          assert.ok(error instanceof LogUnavailable, error);
          return false;
        },
      ),
    );
    assert.equal(again.log.stream('after').length, 1);
  });

  test('to a server that answers nothing is unknown, and goes on when it does', async () => {
    const hasty = connect(double.url, 300);
    await hasty.append('paused', [noted('0')], -1);
    double.pause();
    await assert.rejects(hasty.append('paused', [noted('1')], 0), AppendUnknown);
    await assert.rejects(hasty.head(), LogUnavailable);
    double.resume();
    await until('the log to answer', () =>
      hasty.head().then(
        () => true,
        () => false,
      ),
    );
    assert.ok(['0', '0,1'].includes(String(await recorded('paused'))));
  });

  test('is not disturbed by what happens to others of its process', async () => {
    const other = await start();
    const neighbour = connect(other.url);
    await neighbour.append('neighbour', [noted('')], -1);
    const results = Array.from({ length: 30 }, async (_, index) => {
      const appending = neighbour.append(`neighbour-${index}`, [noted('')], -1);
      if (index % 10 === 0) double.drop();
      await Promise.allSettled([log.append(`broken-${index}`, [noted('')], -1)]);
      return appending;
    });
    for (const position of await Promise.all(results)) assert.ok(position > 0n);
  });

  test('goes by itself, never in the batches that all clients of a process share', async () => {
    await log.append('alone', [noted('')], -1);
    assert.equal(double.told.batchAppends, 0);
    assert.ok(double.told.plainAppends > 0);
  });

  test('larger than the server takes is refused by the name of its limit, and alone', async () => {
    const small = connect((await start({ maxAppendBytes: 1024 })).url);
    await assert.rejects(small.append('large', [noted('x'.repeat(2048))], -1), /MaxAppendSize/);
    await small.append('large', [noted('small')], -1);
  });

  test('of several mebibytes comes back as it was', async () => {
    const notes = ['a', 'b', 'c'].map((letter) => letter.repeat(4 * 1024 * 1024));
    await log.append(
      'mebibytes',
      notes.map((note) => noted(note)),
      -1,
    );
    assert.deepEqual(await recorded('mebibytes'), notes);
  });

  test('of somebody else’s event is passed over, and counts as a revision', async () => {
    await log.append('shared', [noted('ours')], -1);
    const head = await log.head();
    const foreign = EventStoreDBClient.connectionString(double.url);
    for (const stream of ['shared', ...Array.from({ length: 50 }, () => 'foreign')])
      await foreign.appendToStream(stream, jsonEvent({ type: 'Foreign', data: {} }));
    await foreign.dispose();
    assert.equal(await log.head(), head);
    assert.deepEqual(await log.readAll(head, 3), []);
    const slice = await log.readStream('shared');
    assert.deepEqual([slice.events.length, slice.revision], [1, 1]);
    const position = await log.append('shared', [noted('ours')], slice.revision);
    assert.deepEqual(
      (await log.readAll(head, 3)).map((event) => event.position),
      [position],
    );
  });
});

describe('the double', () => {
  test('answers conflicts as the client knows them, on both of its ways to append', async () => {
    const double = await eventStoreDbDouble();
    const client = EventStoreDBClient.connectionString(double.url);
    const event = () => jsonEvent({ type: 'Any', data: {} });
    const none = { username: 'any', password: 'any' };
    for (const way of [{}, { credentials: none }]) {
      const stream = `conflict-${Object.keys(way).length}`;
      const { position } = await client.appendToStream(stream, event(), {
        expectedRevision: NO_STREAM,
        ...way,
      });
      assert.equal(position?.commit, double.log.stream(stream).at(-1)?.position);
      for (const expectedRevision of [NO_STREAM, 5n] as const)
        await assert.rejects(
          client.appendToStream(stream, event(), { expectedRevision, ...way }),
          (error) => error instanceof WrongExpectedVersionError && error.actualVersion === 0n,
        );
    }
    assert.ok(double.told.batchAppends >= 3 && double.told.plainAppends >= 3);
    await client.dispose();
    await double.stop();
  });

  test('answers success to events whose ids it has at that place, as the server does', async () => {
    const double = await eventStoreDbDouble();
    const client = EventStoreDBClient.connectionString(double.url);
    const [first, rival] = ['ours', 'theirs'].map((who) =>
      jsonEvent({ id: '6f1c51f1-3a8d-4a8a-9a53-0c4a3e6f2b11', type: 'Claimed', data: { who } }),
    );
    for (const event of [first, rival]) {
      assert.ok(event);
      const { nextExpectedRevision } = await client.appendToStream('claimed', event, {
        expectedRevision: NO_STREAM,
      });
      assert.equal(nextExpectedRevision, 0n);
    }
    assert.equal(double.log.stream('claimed').length, 1);
    await client.dispose();
    await double.stop();
  });
});
