import assert from 'node:assert/strict';
import { test } from 'node:test';
import { together } from '../../domain/together.ts';

test('what is asked for in one turn is asked at once, and each gets its own', async () => {
  const asked: (readonly string[])[] = [];
  const ask = together(async (keys) => {
    asked.push(keys);
    return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `${key}!`]));
  });
  assert.deepEqual(await Promise.all(['a', 'b', 'none', 'a'].map(ask)), [
    'a!',
    'b!',
    undefined,
    'a!',
  ]);
  assert.deepEqual(asked, [['a', 'b', 'none']]);
});

test('what is asked for later gets an answer of later', async () => {
  let round = 0;
  const ask = together(async (keys) => {
    round += 1;
    const mine = round;
    await new Promise((resolve) => setImmediate(resolve));
    return new Map(keys.map((key) => [key, mine]));
  });
  const first = ask('a');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await Promise.all([first, ask('a')]), [1, 2]);
});

test('who could not be answered is told why, and the next is asked for anew', async () => {
  let fails = true;
  const ask = together(async () => {
    if (fails) throw new Error('gone');
    return new Map([['a', 1]]);
  });
  const both = await Promise.allSettled([ask('a'), ask('b')]);
  assert.ok(both.every((one) => one.status === 'rejected'));
  fails = false;
  assert.equal(await ask('a'), 1);
});
