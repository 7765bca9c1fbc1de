import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Standing, stuckWork } from '../../apps/cli/stuck-work.ts';
import type { Work } from '../../projections/images/record.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { run } from './program.ts';

const now = new Date('2026-05-01T12:00:00Z');
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);

const work = (given: Partial<Work>): Work => ({
  imageId: 'image',
  kind: 'ingest',
  uploadId: 'upload',
  owner: null,
  epoch: 0,
  position: 1n,
  since: ago(300),
  due: null,
  correlationId: 'cause',
  ...given,
});

const whyStuck = (given: Partial<Work>, more: Partial<Standing> = {}): readonly string[] =>
  stuckWork({
    now,
    work: [work(given)],
    beats: new Map([['living', 1]]),
    waiting: new Set(),
    fetches: new Map(),
    stagingTimeoutSeconds: 3_600,
    patienceSeconds: 600,
    ...more,
  }).map(({ why }) => why);

describe('work is stuck', () => {
  for (const [what, given, more, why] of [
    ['that nobody takes', {}, {}, /no worker takes it/],
    [
      'that waits in a queue of the dead',
      {},
      { waiting: new Set(['upload']), beats: new Map() },
      /no worker/,
    ],
    ['whose owner is dead', { owner: 'dead' }, {}, /owner dead is dead/],
    [
      'whose gateway was heard of long ago',
      { kind: 'receive', owner: 'late' },
      { beats: new Map([['late', 60]]) },
      /late is dead/,
    ],
    [
      'whose download tells of nothing',
      { owner: 'living' },
      { fetches: new Map([['upload', ago(800)]]) },
      /nothing for 800 s/,
    ],
    ['that is staged for too long', { kind: 'stage', since: ago(4_000) }, {}, /gives it up/],
    ['that should be scrubbed', { kind: 'scrub', due: ago(200) }, {}, /nobody removes it/],
    ['that should be removed', { kind: 'remove' }, {}, /not removed/],
  ] as const)
    test(what, () => {
      assert.match(whyStuck(given, more).join(), why);
    });
});

describe('work is not stuck', () => {
  for (const [what, given, more] of [
    ['that came just now', { since: ago(5) }, {}],
    ['that waits for its turn', {}, { waiting: new Set(['upload']) }],
    ['whose owner lives', { owner: 'living' }, {}],
    ['whose owner died just now', { owner: 'dead', since: ago(5) }, {}],
    ['whose download gets on', { owner: 'living' }, { fetches: new Map([['upload', ago(5)]]) }],
    ['that waits for its import call', { kind: 'stage' }, {}],
    ['that is to be scrubbed soon', { kind: 'scrub', due: ago(5) }, {}],
    ['that a legal hold puts off', { kind: 'scrub', due: ago(500) }, { held: new Set(['image']) }],
  ] as const)
    test(what, () => {
      assert.deepEqual(whyStuck(given, more), []);
    });
});

describe('daguerre stuck', () => {
  let daguerre: Daguerre;
  before(async () => {
    daguerre = await startDaguerre();
  });
  after(() => daguerre?.stop());

  test('prints nothing of a system that works', async () => {
    const { code, stdout } = await run(['stuck', '--data-dir', daguerre.dataDir]);
    assert.deepEqual([code, stdout], [0, '']);
  });
});
