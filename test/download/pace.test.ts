import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bandwidthPerKey, within } from '../../infra/download/pace.ts';

const never = new AbortController().signal;

describe('budgets of bandwidth', () => {
  test('let one key through while another has used up its own', async () => {
    const paces = bandwidthPerKey(10);
    const stop = new AbortController();
    const long = assert.rejects(paces('busy').take(1_000_000, stop.signal), { name: 'AbortError' });
    await paces('idle').take(1, never);
    stop.abort();
    await long;
  });

  test('are one budget for all who take from the same key', async () => {
    const paces = bandwidthPerKey(1_000);
    const stop = new AbortController();
    const first = assert.rejects(paces('same').take(1_000_000, stop.signal));
    let isThrough = false;
    const second = paces('same').take(1, stop.signal);
    second.then(
      () => {
        isThrough = true;
      },
      () => {},
    );
    await paces('other').take(1, never);
    assert.equal(isThrough, false);
    stop.abort();
    await Promise.all([first, assert.rejects(second)]);
  });

  test('are not forgotten while somebody waits, however many keys there are', async () => {
    const paces = bandwidthPerKey(1_000);
    const stop = new AbortController();
    const first = assert.rejects(paces('same').take(1_000_000, stop.signal));
    for (let key = 0; key < 3_000; key += 1) await paces(String(key)).take(0, never);
    const second = assert.rejects(paces('same').take(1, stop.signal));
    await paces('other').take(1, never);
    stop.abort();
    await Promise.all([first, second]);
  });

  test('hold together: the narrowest decides', async () => {
    const stop = new AbortController();
    const pace = within(bandwidthPerKey(0)('any'), bandwidthPerKey(10)('narrow'));
    const taken = assert.rejects(pace.take(1_000_000, stop.signal));
    await bandwidthPerKey(0)('any').take(Number.MAX_SAFE_INTEGER, never);
    stop.abort();
    await taken;
  });
});
