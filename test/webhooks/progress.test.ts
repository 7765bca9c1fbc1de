import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Due,
  delivered,
  failed,
  nextDueAt,
  type Progress,
  resumed,
  roomIn,
  savedOf,
  startable,
  startingAt,
  taken,
} from '../../domain/webhook/progress.ts';

const fact = (position: number, subject = `image-${position}`): Due => ({
  position: BigInt(position),
  subject,
});
const none = new Set<bigint>();
const positions = (facts: readonly Due[]): readonly number[] =>
  facts.map(({ position }) => Number(position));
const began = (...facts: readonly Due[]): Progress<Due> =>
  taken(resumed<Due>(startingAt(0n)), facts, facts.at(-1)?.position ?? 0n);

describe('the progress of a webhook', () => {
  test('lets facts of different images go at once, those of one image one after the other', () => {
    const progress = began(fact(1, 'a'), fact(2, 'b'), fact(3, 'a'));
    assert.deepEqual(positions(startable(progress, none, 0)), [1, 2]);
    assert.deepEqual(positions(startable(progress, new Set([1n]), 0)), [2]);
    assert.deepEqual(positions(startable(delivered(progress, 1n), none, 0)), [2, 3]);
  });

  test('moves its cursor up to the first fact that is not delivered', () => {
    const progress = delivered(began(fact(4), fact(7), fact(9)), 7n);
    assert.deepEqual([savedOf(progress).cursor, savedOf(progress).ahead], [3n, [7n]]);
    const further = delivered(progress, 4n);
    assert.deepEqual([savedOf(further).cursor, savedOf(further).ahead], [8n, []]);
    assert.equal(savedOf(delivered(further, 9n)).cursor, 9n);
  });

  test('holds back an image whose fact is refused, and no other', () => {
    const progress = failed(began(fact(1, 'a'), fact(2, 'b'), fact(3, 'a')), 1n, 1_000, 500);
    assert.deepEqual(positions(startable(progress, none, 1_400)), [2]);
    assert.equal(nextDueAt(progress, 1_400), 1_500);
    assert.deepEqual(positions(startable(progress, none, 1_500)), [1, 2]);
  });

  test('asks an endpoint that is down with its oldest fact only, and then with all at once', () => {
    let progress = began(...[1, 2, 3, 4, 5, 6].map((at) => fact(at)));
    for (const at of [1n, 2n, 3n, 4n, 5n]) progress = failed(progress, at, 0, 100);
    assert.deepEqual(positions(startable(progress, none, 50)), []);
    assert.deepEqual(positions(startable(progress, none, 100)), [1]);
    assert.deepEqual(positions(startable(delivered(progress, 1n), none, 50)), [2, 3, 4, 5, 6]);
  });

  test('has room until a window is full, whose oldest fact keeps it there', () => {
    let progress = began(fact(1), fact(2), fact(3));
    for (const at of [2n, 3n]) progress = delivered(progress, at);
    assert.equal(roomIn(progress, 3), 0);
    assert.equal(roomIn(delivered(progress, 1n), 3), 3);
  });

  test('leaves nothing out and repeats only what was not kept, whatever fails and dies when', () => {
    const facts = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 4 })),
      {
        maxLength: 40,
      },
    );
    const steps = fc.array(
      fc.record({
        what: fc.constantFrom(
          'read',
          'read',
          'deliver',
          'deliver',
          'deliver',
          'fail',
          'keep',
          'die',
          'forget',
        ),
        which: fc.nat(),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(facts, steps, fc.integer({ min: 1, max: 8 }), (given, done, window) => {
        let at = 0;
        const log = given.map(([gap, image]) => {
          at += gap;
          return fact(at, `image-${image}`);
        });
        const told: Due[] = [];
        let acknowledged = startingAt(0n);
        let kept = acknowledged;
        let now = 0;
        let progress = resumed<Due>(kept);
        const tell = (one: Due): void => {
          told.push(one);
          progress = delivered(progress, one.position);
        };
        const read = (): void => {
          const room = roomIn(progress, window);
          assert.ok(room > 0 || progress.waiting.length > 0, 'nothing can go on');
          const above = log.filter(({ position }) => position > progress.scanned);
          const page = above.slice(0, Math.max(0, room));
          const next = page.length < above.length ? page.at(-1)?.position : BigInt(at);
          if (next !== undefined) progress = taken(progress, page, next);
        };
        for (const { what, which } of done) {
          now += 1;
          const ready = startable(progress, none, now);
          const one = ready[which % Math.max(1, ready.length)];
          if (what === 'read') read();
          else if (what === 'keep') {
            kept = savedOf(progress);
            if (which % 3 === 0) acknowledged = startingAt(kept.cursor);
          } else if (what === 'die') progress = resumed(kept);
          else if (what === 'forget') {
            kept = acknowledged;
            progress = resumed(kept);
          } else if (one !== undefined && what === 'deliver') tell(one);
          else if (one !== undefined) progress = failed(progress, one.position, now, which % 5);
          const { cursor, ahead, failing } = savedOf(progress);
          assert.ok(ahead.every((position) => position > cursor));
          assert.ok(failing.every(({ position }) => position > cursor));
          const everTold = new Set(told.map(({ position }) => position));
          for (const { position } of log)
            if (position <= cursor || ahead.includes(position))
              assert.ok(everTold.has(position), `${position} was left out`);
        }
        for (let rounds = 0; savedOf(progress).cursor < BigInt(at); rounds += 1) {
          assert.ok(rounds < 10_000, 'it does not come to an end');
          now += 10;
          read();
          for (const one of startable(progress, none, now)) tell(one);
        }
        assert.equal(new Set(told.map(({ position }) => position)).size, log.length);
        const firstTold = new Map<string, bigint>();
        const seen = new Set<bigint>();
        for (const { position, subject } of told) {
          if (!seen.has(position)) {
            assert.ok((firstTold.get(subject) ?? 0n) < position, 'out of order');
            firstTold.set(subject, position);
          }
          seen.add(position);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('repeats nothing that was kept', () => {
    const before = delivered(delivered(began(fact(1), fact(2), fact(3), fact(4)), 2n), 4n);
    const after = taken(resumed<Due>(savedOf(before)), [fact(1), fact(2), fact(3), fact(4)], 4n);
    assert.deepEqual(positions(startable(after, none, 0)), [1, 3]);
  });
});
