import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventLog } from '../../domain/event-log.ts';
import { notificationsLane } from '../../infra/bus/nats/notifications-lane.ts';
import { until } from '../support/until.ts';
import { messagesIn, place, site } from './harness.ts';

const lane = (log: EventLog) =>
  notificationsLane(log, place, { publisherId: 'image.localhost', disabled: ['image.member'] });
const stream = 'DAGUERRE_NOTIFICATIONS';

test('notifications are the same, in the same order, wherever a relay stopped', async () => {
  const here = await site({ lane });
  const connection = await here.server.connect();
  await here.life.goOn(400);
  // Each relay stops at some message, be it in the middle of those of one event.
  for (let round = 0; round < 8; round++) {
    const relay = await here.startRelay();
    await until('something to be told', () => relay.position() >= 0n);
    await relay.stop();
    await here.life.goOn(10);
  }
  const relay = await here.startRelay();
  const head = await here.log.head();
  await until('all to be told', () => relay.position() === head);
  const found = await messagesIn(connection, stream);

  const expected = [];
  const fresh = lane(here.log);
  for (const event of await here.log.readAll(0n, 100_000))
    for (const { id, subject, body } of await fresh.messagesOf(event, 2 ** 20))
      expected.push({ msgId: id, subject, document: JSON.parse(Buffer.from(body).toString()) });
  assert.deepEqual(
    found.map(({ msgId, subject, document }) => ({ msgId, subject, document })),
    expected,
  );
  assert.ok(found.some(({ part }) => part === '2/2'));
  const subjects = new Set(found.map(({ subject }) => subject));
  assert.ok(subjects.has('daguerre.v1.RegionOne.notifications.info.image.create'));
  assert.ok(![...subjects].some((subject) => subject.includes('member')), 'those are disabled');
  await connection.close();
});
