import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOfThisRun } from '../support/seed.ts';
import { QuotaWorld } from './quota-world.ts';

/*
 * Clients of several gateways create, upload and delete in one project, one small step at a time in any order. Some die
 * between two steps; some of these come back as zombies. Then whoever is left settles what they left.
 */

const create = { kind: 'create' } as const;
const work = fc.oneof(
  { weight: 4, arbitrary: fc.constant(create) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('upload'),
      declared: fc.boolean(),
      chunks: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }),
      fails: fc.boolean(),
    } as const),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), pick: fc.nat() } as const) },
);

const run = fc.record({
  limits: fc.record({
    images: fc.integer({ min: 0, max: 4 }),
    bytes: fc.integer({ min: 0, max: 120 }),
    uploads: fc.integer({ min: 0, max: 3 }),
  }),
  works: fc.array(work, { minLength: 2, maxLength: 8, size: 'max' }),
  /** Who has the next turn, whether it dies then, and how far the read model is behind. */
  turns: fc.array(
    fc.record({
      who: fc.nat(),
      /** Turns that it has in a row. */
      row: fc.integer({ min: 1, max: 8 }),
      dies: fc.nat({ max: 19 }),
      lag: fc.nat({ max: 8 }),
    }),
    { minLength: 5, maxLength: 60, size: 'max' },
  ),
});

test('a project never overshoots, and everything that was reserved is settled', () => {
  let refusals = 0;
  let successes = 0;
  const property = fc.property(run, ({ limits, works, turns }) => {
    const world = new QuotaWorld(limits);
    for (const one of works) world.begin(one);
    for (const { who, row, dies, lag } of turns) {
      for (let turn = 0; turn < row; turn += 1) world.turn(who, false, lag);
      if (dies === 0) world.turn(who, true, lag);
      world.check();
    }
    world.settle();
    world.check();
    assert.deepEqual(world.open(), [], 'nothing stays reserved');
    for (let more = 0; more < 5; more += 1) world.begin(create); // takes what is left
    world.settle();
    world.zombies();
    world.check();
    world.settle();
    assert.deepEqual(world.open(), [], 'nor do zombies leave anything');
    world.check();
    refusals += world.refusals;
    successes += world.successes;
  });
  fc.assert(property, { numRuns: 1500, seed: seedOfThisRun() });
  assert.ok(refusals > 100 && successes > 1000, `${refusals} refused, ${successes} succeeded`);
});
