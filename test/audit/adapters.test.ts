import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { checkLog } from '../../apps/audit/check.ts';
import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { logBundle } from '../../infra/audit/bundle.ts';
import { entryText } from '../../infra/audit/sha256.ts';
import { verifyBundle } from '../../infra/audit/verifier.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { silent } from '../support/silent-log.ts';
import { auditSite, fact } from './site.ts';

const stored = { log: silent, upcast: <Event>(event: Event): Event => event };

/** What stores are known to write otherwise than they were given it. */
const awkward: JsonObject = JSON.parse(`{
  "numbers": [0, -0, 1e2, 1E21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740991, 0.1, 333333333.33333329],
  "long before short": 1, "b": 2, "a": 3, "": 4, "10": 5, "9": 6, "ä": 7, "€": 8, "😀": 9, "ﬀ": 10,
  "text": "quote \\" backslash \\\\ slash / line \\n tab \\t delete \\u007f separator \\u2028 😀",
  "nested": {"z": [], "y": {}, "x": [null, true, false, {"__proto__": 1}]}
}`);

test('an event has one entry, whichever log it was read from', async (t) => {
  const site = await auditSite(t);
  const double = await eventStoreDbDouble();
  const logs: readonly EventLog[] = [
    memoryEventLog(stored),
    site.log,
    eventStoreDbEventLog(double.url, stored),
  ];
  const streamId = `image-${randomUUID()}`;
  const event: NewEvent = fact(awkward);
  const given = { ...event, streamId, revision: 0, position: 1n, recordedAt: new Date(0) };
  for (const log of logs) {
    await log.append(streamId, [event], -1);
    const [read] = await log.readAll(0n, 10);
    assert.ok(read !== undefined);
    const { position, recordedAt } = given;
    assert.equal(entryText({ ...read, position, recordedAt }), entryText(given));
    const [again] = (await log.readStream(streamId)).events;
    assert.deepEqual(again && entryText(again), entryText(read));
  }
  await Promise.all(logs.filter((log) => log !== site.log).map((log) => log.close()));
  await double.stop();
});

test('a log whose positions have gaps has a tree without any', async (t) => {
  const site = await auditSite(t);
  const double = await eventStoreDbDouble();
  const log = eventStoreDbEventLog(double.url, stored);
  t.after(async () => {
    await log.close();
    await double.stop();
  });
  for (let stream = 0; stream < 100; stream += 1)
    await log.append(`image-${randomUUID()}`, [fact(), fact(), fact()], -1);
  const head = await site.signed(300, log);
  assert.ok(head.position > 1_000n, 'bytes, not a count');
  const ports = { ...site.ports, log, lowest: 0n };
  assert.deepEqual((await checkLog(ports, head)).findings, []);
  const positions = (await log.readAll(0n, 1_000)).map(({ position }) => position);
  assert.deepEqual(
    await site.store.indexesOf(positions.slice(250, 260)),
    [250, 251, 252, 253, 254, 255, 256, 257, 258, 259],
  );
  assert.deepEqual(await site.store.indexesOf([(positions[7] ?? 0n) + 1n]), [undefined]);
  const lines: string[] = [];
  for await (const line of logBundle(ports, head, { from: 200, to: 290, earlier: [120] }))
    lines.push(line);
  const report = await verifyBundle(lines, { keys: await site.keys() });
  assert.deepEqual([report.findings, report.events], [[], 90]);
});

test('a bundle of a range agrees with a checkpoint that was kept, where it proves that it does', async (t) => {
  const site = await auditSite(t);
  await site.append(200);
  const first = await site.signed(200);
  await site.append(400);
  const second = await site.signed(600);
  const keys = await site.keys();
  const report = async (earlier: readonly number[], note = first.note) => {
    const lines: string[] = [];
    for await (const line of logBundle(site.ports, second, { from: 300, to: 520, earlier }))
      lines.push(line);
    return (await verifyBundle(lines, { keys, seen: [note] })).findings.map(({ what }) => what);
  };
  assert.deepEqual(await report([200]), []);
  assert.deepEqual(await report([]), ['malformed']);
  assert.deepEqual(await report([200], first.note.replace('\n200\n', '\n199\n')), ['forged']);
});
