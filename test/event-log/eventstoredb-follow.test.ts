import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
} from '../../domain/event-log.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { noted } from '../contracts/noted.ts';
import {
  type EventStoreDbDouble,
  eventStoreDbDouble,
} from '../support/eventstoredb-double/double.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { reached } from './eventstoredb-suite.ts';

const open = (url: string) =>
  eventStoreDbEventLog(url, { log: silent, upcast: (event) => event, timeoutMs: 2_000 });

describe('following EventStoreDB (a protocol double)', () => {
  let double: EventStoreDbDouble;
  let log: EventLog;
  before(async () => {
    double = await eventStoreDbDouble();
    log = open(double.url);
  });
  after(async () => {
    await log.close();
    await double.stop();
  });

  const restart = async () => {
    const { log: kept, port } = double;
    await double.stop();
    double = await eventStoreDbDouble({ log: kept, port });
  };

  test('misses and repeats nothing while connections break and servers restart', async () => {
    const acknowledged = new Map<string, bigint>();
    const unknown = new Map<string, readonly NewEvent[]>();
    const unavailable = new Set<string>();
    let writing = true;
    const write = async (writer: number) => {
      for (let turn = 0; writing; turn += 1) {
        const stream = `broken-${writer}-${turn}`;
        const events = [noted('1'), noted('2'), noted('3')];
        try {
          acknowledged.set(stream, await log.append(stream, events, -1));
        } catch (error) {
          if (error instanceof AppendUnknown) unknown.set(stream, events);
          else if (error instanceof LogUnavailable) unavailable.add(stream);
          else throw error;
        }
        await new Promise(setImmediate);
      }
    };
    const stop = new AbortController();
    const seen: RecordedEvent[] = [];
    const following = (async () => {
      for await (const batch of log.follow(0n, stop.signal)) seen.push(...batch);
    })();
    const writers = Array.from({ length: 4 }, (_, writer) => write(writer));
    const more = () => {
      const enough = acknowledged.size + 40;
      return until('more appends', () => acknowledged.size >= enough, { everyMs: 2 });
    };
    for (let round = 1; round <= 8; round += 1) {
      await more();
      if (round % 4 === 0) await restart();
      else if (round % 2 === 0) double.drop();
      else double.fault(round % 4 === 1 ? 'lost-after' : 'lost-before');
    }
    await more();
    writing = false;
    await Promise.all(writers);
    await reached(seen, await log.append('marker', [noted('')], -1));
    stop.abort();
    await following;

    const streams = new Map<string, string[]>();
    let last = 0n;
    for (const { streamId, position, id } of seen) {
      assert.ok(position > last, `${position} after ${last}`);
      last = position;
      streams.set(streamId, [...(streams.get(streamId) ?? []), id]);
    }
    const own = double.log.all.filter(({ stream }) => !stream.startsWith('$'));
    assert.deepEqual(
      seen.map(({ position }) => position),
      own.map(({ position }) => position),
    );
    for (const stream of acknowledged.keys()) assert.equal(streams.get(stream)?.length, 3);
    for (const stream of unavailable) assert.equal(streams.get(stream), undefined);
    for (const [stream, events] of unknown)
      if (streams.has(stream))
        assert.deepEqual(
          streams.get(stream),
          events.map(({ id }) => id),
        );
    assert.ok(unknown.size > 0, 'no append was lost');
    await until('no subscription to be left', () => double.told.subscriptions === 0);
  });

  test('fetches no more ahead than its bounds while who follows is busy', async () => {
    const head = await log.head();
    const large = 'x'.repeat(256 * 1024);
    const [events, megabytes] = [256, 64];
    for (let index = 0; index < events; index += 8)
      await log.append(
        'slow',
        Array.from({ length: 8 }, () => noted(large)),
        index - 1,
      );
    const sentBefore = double.told.eventsSent;
    const sent = () => double.told.eventsSent - sentBefore;
    const revisions: number[] = [];
    for await (const batch of log.follow(head, new AbortController().signal)) {
      if (revisions.length === 0) {
        // One that is not busy has all of them: so would this one, if the server were not held back.
        let others = 0;
        for await (const { length } of log.follow(head, new AbortController().signal)) {
          others += length;
          if (others === events) break;
        }
        const ahead = ((sent() - events) * megabytes) / events;
        assert.ok(ahead < 24, `${ahead} MiB were sent to one that takes nothing`);
      }
      revisions.push(...batch.map(({ revision }) => revision));
      if (revisions.length === events) break;
    }
    assert.deepEqual(
      revisions,
      Array.from({ length: events }, (_, revision) => revision),
    );
  });

  test('goes on after the last checkpoint where the server has passed by much that is not ours', async () => {
    const head = await log.append('checkpoint', [noted('last')], -1);
    const system = EventStoreDBClient.connectionString(double.url);
    const stop = new AbortController();
    const seen: RecordedEvent[] = [];
    const following = (async () => {
      for await (const batch of log.follow(head, stop.signal)) seen.push(...batch);
    })();
    const many = Array.from({ length: 2_000 }, () => jsonEvent({ type: '$Any', data: {} }));
    await system.appendToStream('$of-the-system', many);
    await system.dispose();
    const passed = double.log.stream('$of-the-system').at(-600)?.position ?? 0n;
    const from = () => double.told.subscribedAfter.at(-1) ?? 0n;
    await until('the subscription to begin after a checkpoint', async () => {
      double.drop();
      return from() > passed;
    });
    const position = await until('an append', () =>
      log.append('checkpoint', [noted('next')], 0).catch(() => undefined),
    );
    await reached(seen, position);
    stop.abort();
    await following;
    assert.deepEqual(
      seen.map(({ streamId, revision }) => [streamId, revision]),
      [['checkpoint', 1]],
    );
  });

  test('begins before the server runs, and lets go of it when told to', async () => {
    const { log: kept, port } = double;
    await double.stop();
    const [early, stop] = [open(double.url), new AbortController()];
    const seen: RecordedEvent[] = [];
    const following = (async () => {
      for await (const batch of early.follow(0n, stop.signal)) seen.push(...batch);
    })();
    await assert.rejects(early.head(), LogUnavailable);
    double = await eventStoreDbDouble({ log: kept, port });
    const head = await until('the log', () => early.head().catch(() => undefined));
    await reached(seen, head);
    stop.abort();
    await following;
    await until('no subscription to be left', () => double.told.subscriptions === 0);
    await early.close();
  });

  test('tells who follows of an event that cannot be lifted, instead of trying for ever', async () => {
    const strict = eventStoreDbEventLog(double.url, {
      log: silent,
      upcast(event) {
        if (event.data.note === 'unknown') throw new Error('no such version');
        return event;
      },
    });
    const head = await strict.head();
    await strict.append('strict', [noted('unknown')], -1);
    await assert.rejects(async () => {
      for await (const _ of strict.follow(head, new AbortController().signal)) assert.fail();
    }, /no such version/);
    await assert.rejects(strict.readStream('strict'), /no such version/);
    await strict.close();
  });
});

test('of a stream whose beginning is known, EventStoreDB (a protocol double) is asked for the rest alone', async () => {
  const double = await eventStoreDbDouble();
  const log = open(double.url);
  const events = Array.from({ length: 50 }, (_, index) => noted(`${index}`));
  await log.append('long', events, -1);
  for (const [after, count] of [
    [-1, 50],
    [46, 3],
    [49, 0],
  ] as const) {
    const before = double.told.eventsSent;
    assert.equal((await log.readStream('long', after)).events.length, count);
    assert.equal(double.told.eventsSent - before, count);
  }
  await log.close();
  await double.stop();
});
