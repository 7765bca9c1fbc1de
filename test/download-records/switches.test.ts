import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { stateOf } from '../../apps/gateway/downloads/documents.ts';
import { recordingSwitches } from '../../apps/gateway/downloads/switches.ts';
import { type RecordingChoice, recordingStream } from '../../domain/download-record/switch.ts';
import type { StreamSlice } from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import type { DownloadRecord } from '../../projections/downloads/downloads.ts';

/** Switches over a log in memory; what is read of it arrives when `release` says so, once `hold` was called. */
function site({ isOnByDefault = true } = {}) {
  const log = memoryEventLog({ upcast: (event) => event });
  let isCurrent = true;
  let reads = 0;
  let gate = Promise.resolve();
  let release = (): void => {};
  const switches = recordingSwitches({
    log: {
      async readStream(streamId): Promise<StreamSlice> {
        reads += 1;
        const slice = await log.readStream(streamId);
        await gate;
        return slice;
      },
    },
    isOnByDefault,
    isCurrent: () => isCurrent,
  });
  let from: RecordingChoice = 'default';
  return {
    switches,
    reads: () => reads,
    become(current: boolean): void {
      isCurrent = current;
    },
    hold(): void {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    /** In the log; `hear` tells the switches of what is there. */
    async turn(to: RecordingChoice): Promise<void> {
      const stream = recordingStream('red');
      const { revision } = await log.readStream(stream);
      const actor = { kind: 'system', part: 'test' } as const;
      const event = {
        ...{ id: randomUUID(), type: 'DownloadRecordingSet', schemaVersion: 1, data: { from, to } },
        metadata: { actor, requestId: 'r', causationId: 'c', correlationId: 'c' },
      };
      await log.append(stream, [event], revision);
      from = to;
    },
    async hear(): Promise<void> {
      for (const event of (await log.readStream(recordingStream('red'))).events)
        switches.heard(event);
    },
  };
}

describe('a gateway that goes by the switch of a project', () => {
  test('reads it once, and hears of it from then on', async () => {
    const { hear, reads, switches, turn } = site();
    assert.deepEqual([await switches.isOn('red'), await switches.isOn('red')], [true, true]);
    for (const to of ['off', 'on', 'off', 'default'] as const) {
      await turn(to);
      await hear();
      assert.equal(await switches.isOn('red'), to !== 'off');
    }
    assert.equal(reads(), 1);
    assert.equal(await switches.isOn(null), true, 'of an image that nobody owns as the site is');
  });

  test('takes what the site is set up to where nothing was chosen', async () => {
    const { hear, switches, turn } = site({ isOnByDefault: false });
    assert.deepEqual([await switches.isOn('red'), await switches.isOn(null)], [false, false]);
    await turn('on');
    await hear();
    assert.equal(await switches.isOn('red'), true);
  });

  test('asks the log each time while others do not wait for it', async () => {
    const { become, reads, switches, turn } = site();
    await switches.isOn('red');
    become(false);
    await turn('off');
    assert.equal(await switches.isOn('red'), false);
    await turn('on');
    assert.equal(await switches.isOn('red'), true);
    assert.equal(reads(), 3);
  });

  test('does not take an old answer for what it has heard meanwhile', async () => {
    const { hear, hold, release, switches, turn } = site();
    hold();
    const asked = switches.isOn('red');
    await turn('off');
    await hear();
    release();
    await asked;
    assert.equal(await switches.isOn('red'), false);
  });

  test('keeps nothing that it was asking for when the log may have gone back', async () => {
    const { hold, reads, release, switches } = site();
    hold();
    const asked = switches.isOn('red');
    switches.forget();
    release();
    await asked;
    await switches.isOn('red');
    assert.equal(reads(), 2);
  });
});

test('a download without an end is unknown once its gateway died, or fell silent', () => {
  const now = new Date('2026-05-01T12:00:00Z');
  const download: DownloadRecord = {
    ...{ id: 'd', imageId: 'i', owner: null, position: 1n, eventId: 'e', size: 1, hash: null },
    ...{
      begunAt: now,
      writer: 'gateway-1',
      toldPosition: 1n,
      toldAt: now,
      ended: false,
      lost: false,
      sent: null,
    },
    asked: [0, 1],
    metadata: {
      actor: { kind: 'system', part: 'test' },
      ...{ requestId: 'r', causationId: 'c', correlationId: 'c' },
    },
  };
  const lives = () => false;
  const minutes = (count: number) => new Date(now.getTime() + count * 60_000);
  assert.equal(stateOf(download, lives, minutes(3)), 'running');
  assert.equal(stateOf(download, lives, minutes(4)), 'unknown');
  assert.equal(
    stateOf(download, (writer) => writer === 'gateway-1', now),
    'unknown',
  );
  assert.equal(
    stateOf({ ...download, ended: true }, () => true, minutes(9)),
    'ended',
  );
});
