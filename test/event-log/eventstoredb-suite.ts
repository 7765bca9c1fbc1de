import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { contractUpcast, eventLogContract, followed } from '../contracts/event-log.ts';
import { noted } from '../contracts/noted.ts';
import { silent } from '../support/silent-log.ts';

/**
 * What the adapter must keep over any EventStoreDB: a double, or a real server that may hold data of others. Streams get
 * names that nobody else has, and what others append meanwhile is passed over.
 */
export function eventStoreDbSuite(name: string, url: () => string): void {
  const open = () => eventStoreDbEventLog(url(), { log: silent, upcast: contractUpcast });
  eventLogContract(name, async () => open());

  describe(`the log in ${name}`, () => {
    let log: EventLog;
    before(() => {
      log = open();
    });
    after(() => log.close());
    const newStream = () => `contract-${randomUUID()}`;
    const of = (stream: string) => (event: RecordedEvent) => event.streamId === stream;

    test('gives each event of one append a position of its own, and goes on between them', async () => {
      const [stream, head] = [newStream(), await log.head()];
      const notes = Array.from({ length: 5 }, (_, index) => noted(`${index}`));
      const position = await log.append(stream, notes, -1);
      const all = (await log.readStream(stream)).events;
      assert.equal(new Set(all.map((event) => event.position)).size, 5);
      assert.equal(all.at(-1)?.position, position);
      assert.deepEqual((await log.readAll(head, 1_000)).filter(of(stream)), all);
      for (const [index, event] of all.slice(0, -1).entries()) {
        const rest = all.slice(index + 1);
        assert.deepEqual((await log.readAll(event.position, 1_000)).filter(of(stream)), rest);
        const following = await followedTo(log, event.position, position);
        assert.deepEqual(following.filter(of(stream)), rest);
      }
    });

    test('begins at any position, an event’s own or not', async () => {
      const stream = newStream();
      for (let index = 0; index < 4; index += 1) await log.append(stream, [noted('')], index - 1);
      const all = (await log.readStream(stream)).events;
      const [first, last] = [all.at(0)?.position ?? 0n, all.at(-1)?.position ?? 0n];
      for (const { position } of all)
        for (const after of [position - 1n, position, position + 1n]) {
          const rest = all.filter((event) => event.position > after);
          assert.deepEqual((await log.readAll(after, 1_000)).filter(of(stream)), rest);
        }
      const following = await followedTo(log, first + 1n, last);
      assert.deepEqual(following.filter(of(stream)), all.slice(1));
    });

    test('takes and gives long appends and long streams', async () => {
      const stream = newStream();
      const notes = Array.from({ length: 1_500 }, (_, index) => noted(`${index}`));
      const head = await log.head();
      await log.append(stream, notes, -1);
      assert.deepEqual(
        (await log.readStream(stream)).events.map(({ data }) => data.note),
        notes.map(({ data }) => data.note),
      );
      const following = await followed(log, head, 1_500);
      assert.ok(
        following.every(
          (event, index) => event.position > (following[index - 1]?.position ?? head),
        ),
      );
    });

    test('reads and follows large events in parts, and misses none', async () => {
      const [stream, head] = [newStream(), await log.head()];
      const large = noted('ä'.repeat(450 * 1024));
      for (let index = 0; index < 24; index += 1)
        await log.append(stream, [{ ...large, id: randomUUID() }], index - 1);
      const { events, position } = await log.readStream(stream);
      assert.equal(events.length, 24);
      const first = await log.readAll(head, 1_000);
      assert.ok(first.length > 0 && first.length < 24, `${first.length} at once`);
      const following = await followedTo(log, head, position);
      assert.deepEqual(
        following.filter(of(stream)).map(({ revision }) => revision),
        events.map(({ revision }) => revision),
      );
    });

    test('many writers at once leave no gap and no double for who follows', async () => {
      const head = await log.head();
      const [reader, others] = [open(), [open(), open()]];
      const stop = new AbortController();
      const seen: RecordedEvent[] = [];
      const following = (async () => {
        for await (const batch of reader.follow(head, stop.signal)) seen.push(...batch);
      })();
      const streams = Array.from({ length: 40 }, newStream);
      const positions = await Promise.all(
        streams.map(async (stream, index) => {
          for (let revision = -1; revision < 15; revision += 4)
            await others[index % 2]?.append(
              stream,
              Array.from({ length: 4 }, () => noted(stream)),
              revision,
            );
          return (await log.readStream(stream)).position;
        }),
      );
      const last = positions.toSorted((a, b) => (a < b ? -1 : 1)).at(-1) ?? 0n;
      await reached(seen, last);
      stop.abort();
      await following;
      await Promise.all([reader, ...others].map((one) => one.close()));
      assert.ok(seen.every((event, index) => event.position > (seen[index - 1]?.position ?? head)));
      for (const stream of streams)
        assert.deepEqual(
          seen.filter(of(stream)).map(({ revision }) => revision),
          Array.from({ length: 16 }, (_, revision) => revision),
        );
    });
  });
}

/** Resolves when an event at a position, or above, has come. */
export async function reached(seen: readonly RecordedEvent[], position: bigint): Promise<void> {
  while ((seen.at(-1)?.position ?? -1n) < position)
    await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Follows until the event at `last` came. */
async function followedTo(log: EventLog, after: bigint, last: bigint): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const batch of log.follow(after, new AbortController().signal)) {
    events.push(...batch);
    if ((events.at(-1)?.position ?? 0n) >= last) break;
  }
  return events;
}
