import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgets } from '../../apps/worker/budgets.ts';
import { type ReconcilerPorts, reconciler } from '../../apps/worker/reconciler.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import { absent } from '../../domain/image/state.ts';
import { Refused } from '../../domain/refused.ts';
import type { IngestJob } from '../../infra/jobs/job-queue.ts';
import type { Work } from '../../projections/images/record.ts';
import { plain, recorded } from '../projections/recorded.ts';
import { until } from '../support/until.ts';
import { never, noMetrics, silent } from './harness.ts';

const work = (change: Partial<Work>): Work => ({
  imageId: 'image',
  kind: 'ingest',
  uploadId: 'upload',
  owner: null,
  epoch: 0,
  position: 1n,
  since: new Date(0),
  due: null,
  correlationId: 'req-1',
  ...change,
});

/** A reconciler over a world that the test sets, with the clock in the test's hand. */
function world(overrides: Partial<ReconcilerPorts> = {}) {
  const state = {
    open: [] as Work[],
    dead: new Set<string>(),
    waiting: new Set<string>() as ReadonlySet<string> | null,
    running: new Set<string>(),
    /** Epoch milliseconds. */
    time: 0,
  };
  const did = {
    issued: [] as IngestJob[],
    run: [] as IngestJob[],
    commands: [] as ImageCommand[],
    swept: [] as string[],
  };
  const reconcile = reconciler({
    owner: 'worker-me',
    log: { readStream: async () => ({ events: [], revision: -1, position: 0n }) },
    handle: async (_stream, command) => {
      did.commands.push(command);
      return { position: 1n, state: absent, changed: true };
    },
    images: { openWork: async () => state.open },
    watch: { isDead: (owner) => state.dead.has(owner) },
    queue: {
      issue: async (job) => {
        did.issued.push(job);
      },
      waiting: async () => state.waiting,
    },
    ingest: {
      isRunning: (uploadId) => state.running.has(uploadId),
      count: () => state.running.size,
      run: async (job) => {
        did.run.push(job);
        state.running.add(job.uploadId);
      },
    },
    slots: 2,
    budgets: budgets(0, { readStream: async () => ({ events: [], revision: -1, position: 0n }) }),
    sweeper: {
      sweepImage: async (imageId) => {
        did.swept.push(imageId);
      },
    },
    metrics: noMetrics,
    logger: silent,
    patienceMs: 2_000,
    stagingTimeoutMs: 60_000,
    wallClock: () => state.time,
    passStep: () => {},
    ...overrides,
  });
  return { state, did, at: (now: number) => reconcile(now, never) };
}

test('whole uploads get their time before a job is issued again, then more and more of it', async () => {
  const { state, did, at } = world();
  state.open = [work({})];
  for (const now of [0, 1_000, 1_999]) await at(now);
  assert.equal(did.issued.length, 0);
  const issuedAt: number[] = [];
  for (let now = 2_000; now < 60_000; now += 500) {
    const before = did.issued.length;
    await at(now);
    if (did.issued.length > before) issuedAt.push(now);
  }
  assert.deepEqual(issuedAt, [2_000, 4_000, 8_000, 16_000, 32_000]);
  assert.deepEqual(did.issued[0], { imageId: 'image', uploadId: 'upload', supersedes: 0 });
});

test('no job is issued for an upload that has one waiting, or when too many wait to tell', async () => {
  const { state, did, at } = world();
  state.open = [work({})];
  state.waiting = new Set(['upload']);
  for (const now of [0, 5_000]) await at(now);
  state.waiting = null;
  await at(10_000);
  assert.equal(did.issued.length, 0);
  state.waiting = new Set();
  await at(11_000);
  assert.equal(did.issued.length, 1);
});

test('a claim is left to its owner while that lives, and superseded at once when it is dead', async () => {
  const { state, did, at } = world();
  state.open = [work({ owner: 'worker-1', epoch: 3 })];
  for (const now of [0, 100_000]) await at(now);
  assert.equal(did.issued.length, 0);
  state.dead.add('worker-1');
  state.waiting = new Set(['upload']);
  await at(100_500);
  assert.deepEqual(did.issued, [{ imageId: 'image', uploadId: 'upload', supersedes: 3 }]);
});

test('a released claim is issued again with the epoch that it had', async () => {
  const { state, did, at } = world();
  state.open = [work({ epoch: 1 })];
  for (const now of [0, 2_000]) await at(now);
  assert.equal(did.issued[0]?.supersedes, 1);
});

test('patience begins anew when the work moves on', async () => {
  const { state, did, at } = world();
  state.open = [work({})];
  await at(0);
  state.open = [work({ epoch: 1 })];
  await at(2_000);
  assert.equal(did.issued.length, 0);
});

test('a claim of this very process that it does not work on is superseded', async () => {
  const { state, did, at } = world();
  state.open = [work({ owner: 'worker-me', epoch: 1 })];
  state.running.add('upload');
  for (const now of [0, 10_000]) await at(now);
  assert.equal(did.issued.length, 0);
  state.running.clear();
  await at(10_500);
  assert.equal(did.issued[0]?.supersedes, 1);
});

test('an upload is ended when its gateway is dead, and not before', async () => {
  const { state, did, at } = world();
  state.open = [work({ kind: 'receive', owner: 'gateway-1' })];
  for (const now of [0, 100_000]) await at(now);
  assert.equal(did.commands.length, 0);
  state.dead.add('gateway-1');
  await at(100_500);
  assert.deepEqual(
    did.commands.map((command) => [command.type, 'reason' in command && command.reason]),
    [['AbortUpload', 'gateway-died']],
  );
});

test('bytes of a deleted image that nobody removed are swept again', async () => {
  const { state, did, at } = world();
  state.open = [work({ kind: 'remove', uploadId: null })];
  await at(0);
  assert.equal(did.swept.length, 0);
  await at(2_000);
  assert.deepEqual(did.swept, ['image']);
});

test('staged bytes wait for their import as long as they may, and no job is issued for them', async () => {
  const { state, did, at } = world();
  state.open = [work({ kind: 'stage' })];
  for (const now of [0, 10_000, 59_999]) {
    state.time = now;
    await at(now);
  }
  assert.deepEqual([did.commands.length, did.issued.length], [0, 0]);
  state.time = 60_000;
  await at(60_000);
  const [command] = did.commands;
  assert.deepEqual(command?.type === 'AbortUpload' && [command.uploadId, command.reason], [
    'upload',
    'staging-expired',
  ]);
});

test('a deleted image is scrubbed when it is due by the clock on the wall', async () => {
  const { state, did, at } = world();
  state.open = [work({ kind: 'scrub', uploadId: null, due: new Date(60_000) })];
  state.time = 59_999;
  await at(100_000);
  assert.deepEqual(did.commands, []);
  state.time = 60_000;
  await at(100_001);
  assert.deepEqual(did.commands, [{ type: 'ScrubImage', at: '1970-01-01T00:01:00.000Z' }]);
});

test('one piece of work that fails keeps no other waiting', async () => {
  const refuse = async () => {
    throw new Refused('upload-ended', 'it went on meanwhile');
  };
  const { state, did, at } = world({ handle: refuse });
  state.dead.add('gateway-1');
  state.open = [work({ kind: 'receive', owner: 'gateway-1', imageId: 'other' }), work({})];
  for (const now of [0, 2_000]) await at(now);
  assert.equal(did.issued.length, 1);
});

test('patience outlives a read model that cannot be asked', async () => {
  let away = false;
  const { did, at } = world({
    images: {
      openWork: async () => {
        if (away) throw new Error('the read model is away');
        return [work({})];
      },
    },
  });
  await at(0);
  away = true;
  await assert.rejects(at(1_000));
  away = false;
  await at(2_000);
  assert.equal(did.issued.length, 1);
});

test('a queue that fails is not asked again in the same round, and holds nothing else up', async () => {
  let asked = 0;
  const { state, did, at } = world({
    queue: {
      waiting: async () => new Set(),
      issue: async () => {
        asked += 1;
        throw new Error('the queue is away');
      },
    },
  });
  state.open = [
    work({ uploadId: 'upload-1' }),
    work({ uploadId: 'upload-2' }),
    work({ uploadId: 'upload-3' }),
    work({ kind: 'remove', uploadId: null }),
  ];
  for (const now of [0, 2_000]) await at(now);
  assert.equal(asked, 1);
  assert.deepEqual(did.swept, ['image']);
  assert.deepEqual(
    did.run.map(({ uploadId }) => uploadId),
    ['upload-1', 'upload-2'],
    'what there is a slot for is done without a queue',
  );
  await at(2_500);
  assert.equal(asked, 2, 'the other one is tried in the next round');
  assert.equal(did.run.length, 2);
});

test('a project gets no more going at once than its budget, and leaves the others their turn', async () => {
  const { state, did, at } = world({ budgets: budgets(2, logOf) });
  const of = (project: string, count: number): Work[] =>
    Array.from({ length: count }, (_, index) =>
      work({ imageId: `${project}-image`, uploadId: `${project}-${index}` }),
    );
  state.open = [
    work({ imageId: 'red-image', uploadId: 'red-claimed', owner: 'worker-other', epoch: 1 }),
    ...of('red', 3),
    ...of('blue', 3),
  ];
  for (const now of [0, 2_000]) await at(now);
  assert.deepEqual(
    did.issued.map(({ uploadId }) => uploadId),
    ['red-0', 'blue-0', 'blue-1'],
  );
});

test('the dispatcher holds back what is beyond the budget until others of the project are over', async () => {
  const budget = budgets(2, logOf);
  const issued: string[] = [];
  const offer = (project: string, number: number): void =>
    budget.offer(
      { imageId: `${project}-image-${number}`, uploadId: `${project}-${number}`, supersedes: 0 },
      ({ uploadId }) => issued.push(uploadId),
    );
  for (const number of [0, 1, 2, 3]) offer('red', number);
  offer('blue', 0);
  await until('the first to be issued', () => issued.length === 3);
  assert.deepEqual(issued, ['red-0', 'red-1', 'blue-0']);
  budget.over('red-1');
  budget.over('red-1');
  assert.deepEqual(issued.slice(3), ['red-2']);
  budget.overImage('red-image-0');
  assert.deepEqual(issued.slice(4), ['red-3']);
});

/** Images whose ids begin with the name of their project. */
const logOf = {
  async readStream(streamId: string) {
    const [, owner = ''] = /^image-(\w+)-image/.exec(streamId) ?? [];
    const data = { ...plain, owner };
    const events = recorded(streamId.slice('image-'.length), [{ type: 'ImageCreated', data }]);
    return { events, revision: 0, position: 1n };
  },
};
