import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Md5Lanes, md5Lanes, md5State } from '../../infra/digests/md5-lanes.ts';

const bufferBytes = 1024;

const made = (): Md5Lanes => {
  const lanes = md5Lanes(bufferBytes);
  if (lanes === undefined) throw new Error('this processor has no vectors to test with');
  return lanes;
};

const expected = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

/** All streams side by side, each in pieces of a size of its own. */
function hashed(
  { buffers, update, digest }: Md5Lanes,
  streams: readonly Uint8Array[],
): readonly string[] {
  const open = streams.map((bytes, nth) => ({
    ...{ bytes, offset: 0, state: md5State() },
    piece: Math.min(bufferBytes, 64 + 61 * nth),
  }));
  for (;;) {
    const filled = open.map(({ bytes, offset, piece, state }, lane) => {
      const part = bytes.subarray(offset, offset + piece);
      buffers[lane]?.set(part);
      return { state, count: part.length };
    });
    const taken = update(filled);
    for (const [lane, one] of open.entries()) one.offset += taken[lane] ?? 0;
    if (taken.every((bytes) => bytes === 0)) break;
  }
  return open.map(({ bytes, offset, state }) =>
    digest(state, bytes.subarray(offset), bytes.length),
  );
}

test('a stream of any length has the digest that node:crypto gives', () => {
  const lanes = made();
  for (let size = 0; size <= 200; size++) {
    const bytes = randomBytes(size);
    assert.deepEqual(hashed(lanes, [bytes]), [expected(bytes)], `${size} bytes`);
  }
});

for (const count of [1, 2, 3, 4, 5, 7, 8])
  test(`${count} streams of different lengths do not touch each other`, () => {
    const streams = Array.from({ length: count }, (_, nth) => randomBytes(20_000 * nth + 17 * nth));
    assert.deepEqual(hashed(made(), streams), streams.map(expected));
  });

test('a length beyond 512 MiB is counted in full', () => {
  const lanes = made();
  const size = 512 * 1024 ** 2 + 64;
  const state = md5State();
  const zeros = new Uint8Array(bufferBytes);
  lanes.buffers[0]?.set(zeros);
  const hash = createHash('md5');
  for (let left = size; left > 0; ) {
    const count = Math.min(left, bufferBytes);
    lanes.update([{ state, count }]);
    hash.update(zeros.subarray(0, count));
    left -= count;
  }
  assert.equal(lanes.digest(state, new Uint8Array(), size), hash.digest('hex'));
});
