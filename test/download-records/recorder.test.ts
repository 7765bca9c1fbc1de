import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Call } from '../../apps/gateway/call.ts';
import { recordDownloads } from '../../apps/gateway/downloads/record.ts';
import { HttpError } from '../../apps/gateway/http-error.ts';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type RecordedEvent,
} from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { downloadsIn } from '../support/gateway-downloads.ts';
import { shuffled } from './shuffled.ts';

const image = {
  id: randomUUID(),
  owner: 'red',
  size: 1_000_000,
  hashAlgorithm: null,
  hashValue: null,
};
const whole = { start: 0, end: image.size };
const minute = 60_000;

const callOf = (userId: string, remoteAddress = '10.0.0.1'): Call => ({
  caller: { userId, projectId: 'blue', roles: ['member'] },
  person: { userId, userName: userId, remoteAddress, userAgent: '' },
  requestId: `req-${randomUUID()}`,
  correlationId: randomUUID(),
});

type Log = Pick<EventLog, 'readStream' | 'append'>;

/** A recorder over a log in memory, whose clock the test moves. */
function recorder({ through = (log: EventLog): Log => log, isOn = true } = {}) {
  const log = memoryEventLog({ upcast: (event) => event });
  let at = Date.parse('2026-05-01T12:00:00Z');
  const downloads = recordDownloads({
    log: through(log),
    switches: { isOn: async () => isOn },
    personal: { remember: async ({ userId, remoteAddress }) => `${userId} ${remoteAddress}` },
    logger: logger('downloads', 'silent'),
    now: () => new Date(at),
    writer: 'gateway-test',
    pace: {
      ...{ lookMs: 2 ** 30, idleMs: 10_000, sliceMs: minute, longestMs: 15 * minute },
      patienceMs: 200,
    },
  });
  return {
    log,
    downloads,
    pass(milliseconds: number): Promise<void> {
      at += milliseconds;
      return downloads.tellDue();
    },
    async read(call: Call, start: number, end: number): Promise<void> {
      const sending = await downloads.begin(call, image, { start, end });
      sending.leaves(end - start);
      sending.ended();
    },
    events: (): Promise<readonly RecordedEvent[]> => log.readAll(0n, 100_000),
    types: async () => (await log.readAll(0n, 100_000)).map(({ type }) => type),
  };
}

const refusing = (
  times: number,
  fault: (log: EventLog, ...args: Parameters<EventLog['append']>) => Promise<never>,
) => {
  let left = times;
  return (log: EventLog): Log => ({
    readStream: log.readStream,
    append: (...args) => (left-- > 0 ? fault(log, ...args) : log.append(...args)),
  });
};
const unreachable = async (): Promise<never> => {
  throw new LogUnavailable(new Error('gone'));
};
const lost = async (log: EventLog, ...args: Parameters<EventLog['append']>): Promise<never> => {
  await log.append(...args);
  throw new AppendUnknown(args[0], new Error('the connection was lost'));
};

const is503 = (error: unknown): boolean => error instanceof HttpError && error.status === 503;

describe('a download', () => {
  test('is in the log before its first byte may leave, with who, what and by which right', async () => {
    const { downloads, events } = recorder();
    const call = callOf('nova');
    await downloads.begin(call, image, { start: 5, end: 9 });
    const [begun, ...more] = await events();
    assert.deepEqual(more, []);
    assert.equal(begun?.type, 'DownloadBegun');
    assert.match(begun?.streamId ?? '', /^downloads-2026-05-01-gateway-test-0$/);
    const { downloadId, ...data } = begun?.data ?? {};
    assert.match(String(downloadId), /^[0-9a-f-]{36}$/);
    assert.deepEqual(data, {
      ...{ imageId: image.id, owner: 'red', size: image.size, hash: null },
      ...{ asked: [5, 9], writer: 'gateway-test' },
    });
    assert.deepEqual(begun?.metadata, {
      actor: { kind: 'user', ...call.caller },
      requestId: call.requestId,
      causationId: call.correlationId,
      correlationId: call.correlationId,
      rule: 'download_image',
      personal: 'nova 10.0.0.1',
    });
  });

  test('of 10,000 parts in any order is two events, which tell exactly what was read', async () => {
    const { read, pass, events } = recorder();
    const parts = Array.from({ length: 10_000 }, (_, index) => index * 100);
    // Every tenth is left out, and some come twice.
    const wanted = shuffled([...parts.filter((start) => start % 1_000 !== 0), 100, 200]);
    for (const start of wanted) await read(callOf('nova'), start, start + 100);
    await pass(10_000);
    const all = await events();
    assert.deepEqual(
      all.map(({ type }) => type),
      ['DownloadBegun', 'ImageDownloaded'],
    );
    const { downloadId: _, ...told } = all[1]?.data ?? {};
    const noon = '2026-05-01T12:00:00.000Z';
    assert.deepEqual(told, {
      ...{ imageId: image.id, owner: 'red', reads: 9_002, bytes: 900_200 },
      extents: Array.from({ length: 1_000 }, (_, index) => [
        index * 1_000 + 100,
        index * 1_000 + 1_000,
      ]),
      ...{ exact: true, complete: false, firstAt: noon, lastAt: noon, ended: true },
    });
  });

  test('with too many gaps tells more than was read, and says so', async () => {
    const { read, pass, events } = recorder();
    for (let start = 0; start < image.size; start += 500)
      await read(callOf('nova'), start, start + 100);
    await pass(10_000);
    const told = (await events())[1]?.data;
    assert.deepEqual([told?.exact, told?.bytes, told?.complete], [false, 200_000, false]);
    assert.equal((told?.extents as unknown[] | undefined)?.length, 1_000);
  });

  test('is one of its actor and address: others have their own', async () => {
    const { read, pass, log } = recorder();
    for (let start = 0; start < 300; start += 100) {
      await read(callOf('nova'), start, start + 100);
      await read(callOf('eve'), 500, 600);
      await read(callOf('nova', '10.0.0.2'), 900, 901);
    }
    await pass(10_000);
    const all = await downloadsIn(log);
    assert.deepEqual(
      all.map(({ metadata, sent }) => [metadata.personal, sent?.reads, sent?.extents]),
      [
        ['nova 10.0.0.1', 3, [[0, 300]]],
        ['eve 10.0.0.1', 3, [[500, 600]]],
        ['nova 10.0.0.2', 3, [[900, 901]]],
      ],
    );
  });

  test('that goes on is told of each minute, whole each time, and once more when it has ended', async () => {
    const { downloads, log, pass, types } = recorder();
    const sending = await downloads.begin(callOf('nova'), image, whole);
    sending.leaves(400);
    await pass(30_000);
    assert.deepEqual(await types(), ['DownloadBegun']);
    await pass(30_000);
    sending.leaves(600);
    await pass(minute);
    await pass(minute);
    sending.leaves(image.size - 1_000);
    sending.ended();
    const extents = (await log.readAll(0n, 100)).slice(1).map(({ data }) => data.extents);
    assert.deepEqual(
      extents,
      [[[0, 400]], [[0, 1_000]], [[0, 1_000]]],
      'also while it stands still',
    );
    await pass(9_999);
    assert.equal((await types()).length, 4);
    await pass(1);
    const [download] = await downloadsIn(log);
    assert.equal(download?.ended, true);
    assert.deepEqual(download?.sent?.extents, [[0, image.size]]);
    assert.equal(download?.sent?.complete, true);
    assert.equal(download?.sent?.reads, 1);
    await pass(minute);
    assert.equal((await types()).length, 5, 'nothing comes behind the end');
  });

  test('that broke off is told of as far as it came', async () => {
    const { downloads, log, pass } = recorder();
    const sending = await downloads.begin(callOf('nova'), image, { start: 100, end: 900 });
    sending.leaves(64);
    sending.ended();
    await pass(10_000);
    assert.deepEqual((await downloadsIn(log))[0]?.sent?.extents, [[100, 164]]);
  });

  test('is another one after a pause, and after a quarter of an hour', async () => {
    const { log, pass, read } = recorder();
    await read(callOf('nova'), 0, 1);
    await pass(10_000);
    await read(callOf('nova'), 1, 2);
    for (let seconds = 0; seconds < 16 * 60; seconds += 8) {
      await read(callOf('nova'), 2, 3);
      await pass(8_000);
    }
    assert.equal((await downloadsIn(log)).length, 3);
  });

  test('is told of before the gateway ends, and none begins any more', async () => {
    const { downloads, log, read } = recorder();
    await read(callOf('nova'), 0, 10);
    await downloads.stop();
    assert.equal((await downloadsIn(log))[0]?.ended, true);
    await assert.rejects(downloads.begin(callOf('nova'), image, whole), is503);
  });

  test('is not recorded where that is switched off', async () => {
    const { pass, read, types } = recorder({ isOn: false });
    await read(callOf('nova'), 0, 10);
    await pass(minute);
    assert.deepEqual(await types(), []);
  });
});

describe('a log that fails', () => {
  test('lets no download begin, and the next one is asked for again', async () => {
    const { downloads, types } = recorder({ through: refusing(1, unreachable) });
    await assert.rejects(downloads.begin(callOf('nova'), image, whole), is503);
    assert.deepEqual(await types(), []);
    await downloads.begin(callOf('nova'), image, whole);
    assert.deepEqual(await types(), ['DownloadBegun']);
  });

  test('that does not answer lets no download begin either, of all that wait for the same beginning', async () => {
    let answer = (): void => {};
    const gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { downloads, pass, log, types } = recorder({
      through: (log) => ({
        readStream: log.readStream,
        append: async (...args) => {
          await gate;
          return log.append(...args);
        },
      }),
    });
    const both = [0, 1].map(() => downloads.begin(callOf('nova'), image, whole));
    for (const one of both) await assert.rejects(one, is503);
    await pass(minute);
    assert.deepEqual(await types(), [], 'nothing is told of what has not begun');
    answer();
    const sending = await downloads.begin(callOf('nova'), image, whole);
    sending.ended();
    await pass(minute);
    assert.deepEqual(await types(), ['DownloadBegun', 'ImageDownloaded']);
    assert.equal((await downloadsIn(log))[0]?.sent?.bytes, 0);
  });

  test('is asked whether it took the beginning, when its answer was lost', async () => {
    const { read, pass, types } = recorder({ through: refusing(1, lost) });
    await read(callOf('nova'), 0, 1);
    await pass(10_000);
    assert.deepEqual(await types(), ['DownloadBegun', 'ImageDownloaded']);
  });

  test('is told of the end later', async () => {
    let failing = false;
    const { read, pass, log, types } = recorder({
      through: (log) => ({
        readStream: log.readStream,
        append: (...args) => (failing ? unreachable() : log.append(...args)),
      }),
    });
    await read(callOf('nova'), 0, 7);
    failing = true;
    await pass(10_000);
    await pass(1_000);
    assert.deepEqual(await types(), ['DownloadBegun']);
    failing = false;
    await pass(1_000);
    assert.deepEqual((await downloadsIn(log))[0]?.sent?.extents, [[0, 7]]);
    await pass(minute);
    assert.equal((await types()).length, 2);
  });
});
