import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keptTexts } from '../../infra/download/kept-texts.ts';

const url = 'https://example.org/SHA256SUMS';
const never = new AbortController().signal;

/** What a server answers with, when the test says so. */
function answers() {
  const waiting: { resolve(text: string): void; reject(error: Error): void }[] = [];
  const load = (): Promise<string> =>
    new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  return { waiting, load };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a text that many ask for', () => {
  test('is loaded once, and again when it is old', async () => {
    let now = 0;
    const kept = keptTexts(1_000, () => now);
    const { waiting, load } = answers();
    const all = Promise.all([1, 2, 3].map(() => kept(url, load, never)));
    waiting[0]?.resolve('sums');
    assert.deepEqual(await all, ['sums', 'sums', 'sums']);
    now = 999;
    assert.equal(await kept(url, load, never), 'sums');
    assert.equal(waiting.length, 1);
    now = 1_000;
    const again = kept(url, load, never);
    await turn();
    waiting[1]?.resolve('others');
    assert.equal(await again, 'others');
  });

  test('is loaded by the next when one could not', async () => {
    const kept = keptTexts(1_000);
    const { waiting, load } = answers();
    const first = kept(url, load, never);
    const second = kept(url, load, never);
    waiting[0]?.reject(new Error('gone'));
    await assert.rejects(first, { message: 'gone' });
    await turn();
    waiting[1]?.resolve('sums');
    assert.equal(await second, 'sums');
  });

  test('is waited for no longer than one wants', async () => {
    const kept = keptTexts(1_000);
    const { waiting, load } = answers();
    const first = kept(url, load, never);
    const stop = new AbortController();
    const second = kept(url, load, stop.signal);
    stop.abort(new Error('called off'));
    await assert.rejects(second, { message: 'called off' });
    waiting[0]?.resolve('sums');
    assert.equal(await first, 'sums');
  });
});
