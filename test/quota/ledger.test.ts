import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Asked, QuotaLedger } from '../../apps/quota-ledger.ts';
import { AppendUnknown, type EventLog, LogUnavailable } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { memoryLedger } from '../support/quotas.ts';

const limits = { images: 10 };
const metadata = {
  actor: { kind: 'system', part: 'test' },
  requestId: 'req-1',
  correlationId: 'c',
} as const;
const never = new AbortController().signal;

const ask = (ledger: QuotaLedger, asked: Asked) =>
  ledger.ask('red', asked, { commandId: randomUUID(), metadata }, never);
const reserve = (reservationId: string): Asked => ({
  type: 'Reserve',
  limits,
  reservation: {
    reservationId,
    imageId: `image-of-${reservationId}`,
    act: 'command',
    attempt: reservationId,
    owner: 'gateway-1',
    amounts: { images: 1 },
    growing: false,
  },
});
const release = (reservationId: string): Asked => ({
  type: 'Release',
  reservationId,
  reason: 'test',
  position: 0n,
});
const refused = { code: 'quota-exceeded' };

describe('what several processes decide on one project', () => {
  test('many reservations at once are as many as there is room for', async () => {
    const log = memoryEventLog({ upcast });
    const ledgers = [memoryLedger(log), memoryLedger(log), memoryLedger(log)];
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        ask(ledgers[index % 3] as QuotaLedger, reserve(`r${index}`)),
      ),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 10);
    for (const result of results)
      if (result.status === 'rejected') assert.equal(result.reason.code, refused.code);
    assert.equal((await log.readStream('project-red')).events.length, 10);
  });

  test('one settles what another has reserved since it last looked', async () => {
    const log = memoryEventLog({ upcast });
    const [one, other] = [memoryLedger(log), memoryLedger(log)];
    await ask(other, reserve('r0'));
    await ask(one, reserve('r1'));
    await ask(other, release('r1'));
    assert.deepEqual([...(await one.look('red')).open.keys()], ['r0']);
    await ask(one, release('r1'));
    assert.equal((await log.readStream('project-red')).events.length, 3);
  });

  test('room that another gave back is there before anything is refused', async () => {
    const log = memoryEventLog({ upcast });
    const [one, other] = [memoryLedger(log), memoryLedger(log)];
    for (let index = 0; index < 10; index += 1) await ask(one, reserve(`r${index}`));
    await assert.rejects(ask(one, reserve('late')), refused);
    await ask(other, release('r3'));
    await ask(one, reserve('late'));
  });
});

/** Appends fail in turn as these say; then they work. */
function faulty(log: EventLog, ...faults: readonly ('landed' | 'lost' | 'away')[]): EventLog {
  const left = [...faults];
  return {
    ...log,
    async append(streamId, events, expected) {
      const fault = left.shift();
      if (fault === 'away') throw new LogUnavailable(new Error('away'));
      if (fault === undefined) return log.append(streamId, events, expected);
      if (fault === 'landed') await log.append(streamId, events, expected);
      throw new AppendUnknown(streamId, new Error('cut'));
    },
  };
}

describe('when the answer to an append is lost', () => {
  for (const fault of ['landed', 'lost'] as const)
    test(`and it was ${fault}, the reservation is there once`, async () => {
      const log = memoryEventLog({ upcast });
      await ask(memoryLedger(faulty(log, fault)), reserve('r1'));
      const { events } = await log.readStream('project-red');
      assert.deepEqual(
        events.map(({ type }) => type),
        ['QuotaReserved'],
      );
    });

  test('nothing is reserved while the log is away, and the caller is told', async () => {
    const log = memoryEventLog({ upcast });
    const ledger = memoryLedger(faulty(log, 'away'));
    await assert.rejects(ask(ledger, reserve('r1')), LogUnavailable);
    await ask(ledger, reserve('r1'));
    assert.equal((await ledger.look('red')).open.size, 1);
  });
});
