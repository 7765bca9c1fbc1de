import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  isWhole,
  nothingRead,
  outlined,
  type Reading,
  withRead,
} from '../../domain/download-record/reading.ts';
import type { Extent } from '../../domain/staging.ts';
import { seedOfThisRun } from '../support/seed.ts';

/** The model: every byte that was sent, one by one. */
const bytesOf = (extents: readonly Extent[]): ReadonlySet<number> =>
  new Set(
    extents.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at)),
  );

const read = (parts: readonly Extent[], most?: number): Reading =>
  parts.reduce((reading, part) => withRead(reading, part, most), nothingRead);

function isOrdered(extents: readonly Extent[]): boolean {
  return extents.every(
    ({ start, end }, index) => start < end && start > (extents[index - 1]?.end ?? -1),
  );
}

const sizes = fc.integer({ min: 1, max: 300 });
/** Shares of the image: where a part begins, and how long it is. */
const cuts = fc.array(fc.tuple(fc.nat(999), fc.nat(20)), { maxLength: 60 });

function check(size: number, cut: readonly (readonly [number, number])[], most: number): void {
  const parts = cut.map(([at, length]): Extent => {
    const start = Math.floor((at * size) / 1_000);
    return { start, end: Math.min(size, start + length) };
  });
  const model = bytesOf(parts);

  const exact = read(parts);
  assert.deepEqual(
    [...bytesOf(exact.extents)],
    [...model].sort((one, other) => one - other),
  );
  assert.ok(isOrdered(exact.extents), 'in order, and apart');
  assert.equal(exact.reads, parts.length);
  assert.equal(
    exact.bytes,
    parts.reduce((sum, { start, end }) => sum + end - start, 0),
  );
  assert.equal(exact.exact, true);
  assert.equal(isWhole(exact, size), model.size === size);

  for (const rough of [read(parts, most), outlined(exact, most)]) {
    const told = bytesOf(rough.extents);
    assert.ok(rough.extents.length <= most, 'no more than may be');
    assert.ok(isOrdered(rough.extents));
    for (const byte of model) assert.ok(told.has(byte), `byte ${byte} was sent`);
    assert.deepEqual([rough.reads, rough.bytes], [exact.reads, exact.bytes]);
    if (rough.exact) assert.deepEqual(rough.extents, exact.extents);
    if (isWhole(rough, size)) assert.equal(model.size, size, 'what is called whole is whole');
  }
}

describe('what is gathered of one reader', () => {
  test('is what a set of bytes says', () => {
    fc.assert(fc.property(sizes, cuts, fc.integer({ min: 2, max: 10 }), check), {
      seed: seedOfThisRun(),
      numRuns: 300,
    });
  });

  test('loses its narrowest gaps first', () => {
    const parts = [0, 10, 12, 40].map((start) => ({ start, end: start + 1 }));
    assert.deepEqual(outlined(read(parts), 3).extents, [
      { start: 0, end: 1 },
      { start: 10, end: 13 },
      { start: 40, end: 41 },
    ]);
  });

  test('is the whole of an image of no bytes once that was asked for', () => {
    assert.equal(isWhole(nothingRead, 0), false);
    assert.equal(isWhole(read([{ start: 0, end: 0 }]), 0), true);
  });
});
