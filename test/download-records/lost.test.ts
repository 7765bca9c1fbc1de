import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Call } from '../../apps/gateway/call.ts';
import { recordDownloads, usualPace } from '../../apps/gateway/downloads/record.ts';
import { settleLost } from '../../apps/gateway/downloads/settle-lost.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { NotYetVisible } from '../../projections/images/images.ts';
import { downloadsIn } from '../support/gateway-downloads.ts';

const quiet = logger('downloads', 'silent');
const image = { id: randomUUID(), owner: 'red', size: 10, hashAlgorithm: null, hashValue: null };
const call: Call = {
  caller: { userId: 'nova', projectId: 'blue', roles: [] },
  person: { userId: 'nova', userName: 'nova', remoteAddress: '', userAgent: '' },
  ...{ requestId: 'req-1', correlationId: randomUUID() },
};

/** One gateway that may be taken for dead, and two that look after what it left behind. */
function site() {
  const log = memoryEventLog({ upcast: (event) => event });
  let at = Date.now();
  let isDead = false;
  let isShown = true;
  const gateway = recordDownloads({
    ...{ log, logger: quiet, writer: 'gateway-1', now: () => new Date(at) },
    switches: { isOn: async () => true },
    personal: { remember: async () => 'hash' },
    pace: { ...usualPace, lookMs: 2 ** 30 },
  });
  const silent = async () => (await downloadsIn(log)).filter(({ ended, lost }) => !ended && !lost);
  const waitFor = async (position: bigint): Promise<void> => {
    if (!isShown) throw new NotYetVisible(position);
  };
  const others = [1, 2].map(() =>
    settleLost({
      ...{ log, logger: quiet, records: { silent }, visible: { waitFor }, everyMs: 2 ** 30 },
      isDead: (writer) => isDead && writer === 'gateway-1',
    }),
  );
  return {
    begin: () => gateway.begin(call, image, { start: 0, end: 10 }),
    become(dead: boolean, shown = true): void {
      isDead = dead;
      isShown = shown;
    },
    settle: () => Promise.all(others.map((one) => one.settle())),
    pass(milliseconds: number): Promise<void> {
      at += milliseconds;
      return gateway.tellDue();
    },
    all: () => log.readAll(0n, 100),
    types: async () => (await log.readAll(0n, 100)).map(({ type }) => type),
    only: async () => (await downloadsIn(log))[0],
  };
}

test('a download whose gateway died is said to be lost, once, by whoever comes first', async () => {
  const { all, become, begin, only, settle, types } = site();
  await begin();
  await settle();
  assert.deepEqual(await types(), ['DownloadBegun'], 'its gateway lives');
  become(true);
  await settle();
  await settle();
  assert.deepEqual(await types(), ['DownloadBegun', 'DownloadLost']);
  const [begun, lost] = await all();
  assert.deepEqual(lost?.metadata, {
    actor: { kind: 'system', part: 'gateway' },
    requestId: 'req-1',
    causationId: begun?.id,
    correlationId: call.correlationId,
  });
  assert.equal((await only())?.lost, true);
});

test('nothing is said while the read model may not have its end yet', async () => {
  const { become, begin, settle, types } = site();
  await begin();
  become(true, false);
  await settle();
  assert.deepEqual(await types(), ['DownloadBegun']);
});

test('a gateway that was only taken for dead goes on to tell, and its end counts', async () => {
  const { become, begin, only, pass, settle, types } = site();
  const sending = await begin();
  become(true);
  await settle();
  sending.leaves(4);
  sending.ended();
  await pass(10_000);
  assert.deepEqual(await types(), ['DownloadBegun', 'DownloadLost', 'ImageDownloaded']);
  const known = await only();
  assert.deepEqual([known?.lost, known?.ended, known?.sent?.extents], [false, true, [[0, 4]]]);
  await settle();
  assert.equal((await types()).length, 3, 'and is not lost');
});
