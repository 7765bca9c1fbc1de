import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differencesBetween, hasAll, wrongWith } from './subscribers/judge.ts';
import { heardOf, type Subscriber } from './subscribers/subscriber.ts';

// A judge that finds nothing proves nothing: what must never be found is made here by hand.

const event = (position: number, image = 'a', change = {}) =>
  heardOf({
    id: `event-${position}`,
    subject: `image/${image}`,
    position: `${position}`,
    ...change,
  });

const all = [event(1), event(3, 'b'), event(4), event(7, 'b')];

const told = (
  heard: Subscriber['heard'],
  order: Subscriber['order'] = 'of the log',
): Subscriber => ({
  kind: 'pages',
  order,
  heard,
  interruptions: () => 0,
  stop: async () => {},
});

const verdict = (...about: Parameters<typeof told>): string =>
  wrongWith(told(...about), all).join();

test('whoever was told everything in order has nothing to complain of', () => {
  assert.equal(verdict(all), '');
  assert.equal(hasAll(told(all), all), true);
});

test('repeats are no harm: what was told again is told from the log again', () => {
  assert.equal(verdict([...all.slice(0, 3), ...all]), '');
});

test('a gap is found', () => {
  const gap = all.filter(({ position }) => position !== 4n);
  assert.match(verdict(gap), /1 are missing: 4/);
  assert.equal(hasAll(told(gap), all), false);
  assert.match(verdict(gap, 'of each image'), /1 are missing: 4/);
});

test('what comes after its successor is found: the rule for consumers takes it for a repeat', () => {
  const [first, second, third, fourth] = [
    event(1),
    event(3, 'b'),
    event(4),
    event(7, 'b'),
  ] as const;
  assert.match(verdict([first, third, second, fourth]), /4 comes where 3 was due/);
  assert.equal(verdict([first, third, second, fourth], 'of each image'), '');
  assert.match(verdict([third, first, second, fourth], 'of each image'), /out of order at 1/);
});

test('an event that the log does not have is found', () => {
  assert.match(verdict([...all, event(9)]), /event-9 at 9 is not in the log/);
});

test('a document that is another the second time, or for another subscriber, is found', () => {
  const changed = [...all, event(1, 'a', { type: 'other' })];
  assert.match(verdict(changed), /event-1 is another document/);
  const other = told([event(1, 'a', { type: 'other' })]);
  assert.match(differencesBetween(told(all), other).join(), /differ about event-1/);
});
