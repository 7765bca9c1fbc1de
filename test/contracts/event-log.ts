import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import {
  type EventLog,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';
import { noted } from './noted.ts';

/** What the suite's log must do to each event on its way out: lift `Old` events from version 1 to 2. */
export function contractUpcast(event: RecordedEvent): RecordedEvent {
  if (event.type !== 'Old' || event.schemaVersion !== 1) return event;
  return { ...event, schemaVersion: 2, data: { renamed: event.data.name } };
}

const newStream = () => `contract-${randomUUID()}`;
const given = ({ id, type, schemaVersion, data, metadata }: NewEvent): NewEvent => ({
  id,
  type,
  schemaVersion,
  data,
  metadata,
});

/** Follows until `count` events came, and gives them. */
export async function followed(
  log: EventLog,
  after: bigint,
  count: number,
): Promise<RecordedEvent[]> {
  const stop = new AbortController();
  const events: RecordedEvent[] = [];
  for await (const batch of log.follow(after, stop.signal)) {
    assert.notEqual(batch.length, 0);
    events.push(...batch);
    if (events.length >= count) stop.abort();
  }
  return events;
}

/**
 * Every EventLog adapter passes these. `open` gives a log that reads through `contractUpcast`; several may be open on
 * the same events, and others may append to them, but to no stream of this suite.
 */
export function eventLogContract(name: string, open: () => Promise<EventLog>): void {
  describe(`${name} as an EventLog`, () => {
    const opened: EventLog[] = [];
    const start = async () => {
      const log = await open();
      opened.push(log);
      return log;
    };
    after(() => Promise.all(opened.map((log) => log.close())));

    test('a stream that was never written is empty', async () => {
      const log = await start();
      assert.deepEqual(await log.readStream(newStream()), {
        events: [],
        revision: -1,
        position: 0n,
      });
    });

    test('gives back what was appended, numbered and dated', async () => {
      const log = await start();
      const stream = newStream();
      const events = [noted('first'), noted('second')];
      const began = Date.now();
      const position = await log.append(stream, events, -1);
      const slice = await log.readStream(stream);
      assert.deepEqual(slice.events.map(given), events);
      assert.deepEqual(
        slice.events.map(({ revision }) => revision),
        [0, 1],
      );
      assert.equal(slice.revision, 1);
      assert.equal(slice.position, position);
      assert.equal(slice.events.at(-1)?.position, position);
      for (const { recordedAt, streamId } of slice.events) {
        assert.equal(streamId, stream);
        assert.ok(
          recordedAt.getTime() >= began - 1000 && recordedAt.getTime() <= Date.now() + 1000,
        );
      }
    });

    test('gives of a stream only what is above a revision', async () => {
      const log = await start();
      const stream = newStream();
      const events = ['0', '1', '2', '3'].map((note) => noted(note));
      await log.append(stream, events.slice(0, 1), -1);
      const position = await log.append(stream, events.slice(1), 0);
      for (const after of [-1, 0, 2]) {
        const slice = await log.readStream(stream, after);
        assert.deepEqual(slice.events.map(given), events.slice(after + 1));
        assert.deepEqual([slice.revision, slice.position], [3, position]);
      }
      const none = { events: [], revision: 3, position: 0n };
      assert.deepEqual(await log.readStream(stream, 3), none);
      assert.deepEqual(await log.readStream(newStream(), 3), none);
    });

    test('keeps every kind of JSON as it was', async () => {
      const log = await start();
      const stream = newStream();
      const data = {
        text: 'quotes " and \\ and { } , NULL é 🙂 \n\t\u0001',
        empty: '',
        numbers: [0, -1, 0.1, 1e21, Number.MAX_SAFE_INTEGER, 5e-324],
        nested: { list: [null, true, false, {}, []], '': 'no name' },
      };
      await log.append(stream, [{ ...noted(''), data: { ...data, left: undefined } }], -1);
      assert.deepEqual((await log.readStream(stream)).events[0]?.data, data);
    });

    test('what a caller does to its events or to what it read changes nothing', async () => {
      const log = await start();
      const stream = newStream();
      const data = { note: 'said' };
      const appending = log.append(stream, [{ ...noted(''), data }], -1);
      data.note = 'changed';
      await appending;
      const read = (await log.readStream(stream)).events[0]?.data as { note: string };
      read.note = 'changed';
      assert.deepEqual((await log.readStream(stream)).events[0]?.data, { note: 'said' });
    });

    test('refuses the slower of two writers, and keeps nothing of it', async () => {
      const log = await start();
      const stream = newStream();
      const first = noted('first');
      await log.append(stream, [first], -1);
      await assert.rejects(
        log.append(stream, [noted('late'), noted('later')], -1),
        RevisionConflict,
      );
      assert.deepEqual((await log.readStream(stream)).events.map(given), [first]);
    });

    test('refuses a revision that the stream has not reached', async () => {
      const log = await start();
      const stream = newStream();
      await assert.rejects(log.append(stream, [noted('too early')], 0), RevisionConflict);
      await log.append(stream, [noted('first')], -1);
      await assert.rejects(log.append(stream, [noted('too early')], 1), RevisionConflict);
      assert.equal((await log.readStream(stream)).revision, 0);
    });

    test('refuses the same events again, whoever has them in hand', async () => {
      const log = await start();
      const stream = newStream();
      const events = [noted('claimed')];
      await log.append(stream, events, -1);
      const rival = events.map((event) => ({ ...event, data: { note: 'claimed by another' } }));
      for (const again of [events, rival])
        await assert.rejects(log.append(stream, again, -1), RevisionConflict);
      assert.deepEqual((await log.readStream(stream)).events.map(given), events);
    });

    test('of many writers at one revision exactly one wins', async () => {
      const logs = [await start(), await start()];
      const stream = newStream();
      for (const expected of [-1, 1, 3, 5]) {
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, async (_, writer) => {
            const log = logs[writer % 2];
            await log?.append(stream, [noted(`${writer}`), noted(`${writer}`)], expected);
            return writer;
          }),
        );
        const lost = results.filter((result) => result.status === 'rejected');
        assert.equal(lost.length, 19);
        for (const { reason } of lost) assert.ok(reason instanceof RevisionConflict, reason);
        const won = results.findIndex((result) => result.status === 'fulfilled');
        const slice = await logs[0]?.readStream(stream);
        assert.deepEqual(
          slice?.events.slice(-2).map(({ data }) => data.note),
          [`${won}`, `${won}`],
        );
        assert.equal(slice?.revision, expected + 2);
      }
    });

    test('an append that conflicts does not take its neighbours along', async () => {
      const log = await start();
      const taken = newStream();
      await log.append(taken, [noted('taken')], -1);
      const free = Array.from({ length: 10 }, newStream);
      const neighbours = free.map((stream) => log.append(stream, [noted('free')], -1));
      await assert.rejects(log.append(taken, [noted('late')], -1), RevisionConflict);
      const positions = await Promise.all(neighbours);
      for (const [index, stream] of free.entries())
        assert.equal((await log.readStream(stream)).position, positions[index]);
    });

    test('an event that cannot be kept is refused alone', async () => {
      const log = await start();
      for (const text of ['nul \0', 'half a pair \ud800']) {
        const [bad, good] = [newStream(), newStream()];
        const refused = log.append(bad, [noted('fine'), noted(text)], -1);
        const kept = log.append(good, [noted('fine')], -1);
        await assert.rejects(
          refused,
          (error: Error) =>
            error.message.includes(bad) &&
            !(error instanceof RevisionConflict || error instanceof LogUnavailable),
        );
        const position = await kept;
        assert.equal((await log.readStream(good)).position, position);
        assert.equal((await log.readStream(bad)).revision, -1);
        await log.append(bad, [noted('fine')], -1);
      }
    });

    test('refuses an append of nothing', async () => {
      const log = await start();
      await assert.rejects(log.append(newStream(), [], -1), RangeError);
    });

    test('keeps the events of one append together and in order', async () => {
      const log = await start();
      const before = await log.head();
      const streams = Array.from({ length: 20 }, newStream);
      await Promise.all(
        streams.map((stream) => log.append(stream, [noted('a'), noted('b'), noted('c')], -1)),
      );
      const events = await log.readAll(before, 1_000);
      for (const stream of streams) {
        const first = events.findIndex(({ streamId }) => streamId === stream);
        assert.deepEqual(
          events.slice(first, first + 3).map((event) => [event.streamId, event.data.note]),
          [
            [stream, 'a'],
            [stream, 'b'],
            [stream, 'c'],
          ],
        );
      }
    });

    test('an appender reads its own events, and the head has reached them', async () => {
      const log = await start();
      for (let round = 0; round < 10; round += 1) {
        const stream = newStream();
        const position = await log.append(stream, [noted('mine')], -1);
        assert.ok((await log.head()) >= position);
        assert.equal((await log.readStream(stream)).position, position);
        assert.equal((await log.readAll(position - 1n, 1))[0]?.streamId, stream);
      }
    });

    test('reads the whole log in order, in pieces as large as asked', async () => {
      const log = await start();
      const before = await log.head();
      const stream = newStream();
      await log.append(stream, [noted('1'), noted('2'), noted('3')], -1);
      await log.append(newStream(), [noted('4')], -1);
      await log.append(stream, [noted('5')], 2);
      const notes: unknown[] = [];
      for (let last = before; ; ) {
        const piece = await log.readAll(last, 2);
        assert.ok(piece.length <= 2);
        if (piece.length === 0) break;
        for (const { position, data, streamId } of piece) {
          assert.ok(position > last);
          last = position;
          if (streamId.startsWith('contract-')) notes.push(data.note);
        }
      }
      assert.deepEqual(notes, ['1', '2', '3', '4', '5']);
      assert.deepEqual(await log.readAll((await log.head()) + 1_000n, 10), []);
    });

    test('the log begins above position 0', async () => {
      const log = await start();
      await log.append(newStream(), [noted('any')], -1);
      const [first] = await log.readAll(0n, 1);
      assert.ok(first && first.position > 0n);
    });

    test('follows what is there and what comes, missing nothing', async () => {
      const [reader, writer] = [await start(), await start()];
      const before = await writer.head();
      const stream = newStream();
      await writer.append(stream, [noted('there')], -1);
      const following = followed(reader, before, 51);
      for (let revision = 0; revision < 50; revision += 1)
        await writer.append(stream, [noted('comes')], revision);
      assert.deepEqual(
        (await following).map(({ streamId, revision }) => [streamId, revision]),
        Array.from({ length: 51 }, (_, revision) => [stream, revision]),
      );
    });

    test('several follow at once, each from its own position', async () => {
      const log = await start();
      const stream = newStream();
      const before = await log.head();
      const first = await log.append(stream, [noted('0')], -1);
      const following = [followed(log, before, 3), followed(log, first, 2)];
      await log.append(stream, [noted('1')], 0);
      await log.append(stream, [noted('2')], 1);
      const notes = (await Promise.all(following)).map((events) => events.map((e) => e.data.note));
      assert.deepEqual(notes, [
        ['0', '1', '2'],
        ['1', '2'],
      ]);
    });

    test('following ends quietly when told to, in the middle of waiting too', async () => {
      const log = await start();
      const head = await log.head();
      const stop = new AbortController();
      const ended = (async () => {
        for await (const batch of log.follow(head, stop.signal)) assert.deepEqual(batch, []);
      })();
      setTimeout(() => stop.abort(), 20);
      await ended;
      for await (const _ of log.follow(0n, AbortSignal.abort())) assert.fail('was told to end');
    });

    test('lifts old events wherever they are read, and leaves them stored as they were', async () => {
      const log = await start();
      const before = await log.head();
      const stream = newStream();
      const lifted = { schemaVersion: 2, data: { renamed: 'x' } };
      await log.append(stream, [{ ...noted(''), type: 'Old', data: { name: 'x' } }], -1);
      for (const events of [
        (await log.readStream(stream)).events,
        await log.readAll(before, 1),
        await followed(log, before, 1),
      ])
        assert.deepEqual(
          events.map(({ schemaVersion, data }) => ({ schemaVersion, data })),
          [lifted],
        );
    });

    test('a closed log finishes what it was given, ends its followers and takes no more', async () => {
      const [closing, other] = [await open(), await start()];
      const stream = newStream();
      const following = followed(closing, await closing.head(), Number.POSITIVE_INFINITY);
      const last = closing.append(stream, [noted('last')], -1);
      await closing.close();
      await following;
      const position = await last;
      await assert.rejects(closing.append(newStream(), [noted('too late')], -1), LogUnavailable);
      assert.equal((await other.readStream(stream)).position, position);
    });
  });
}
