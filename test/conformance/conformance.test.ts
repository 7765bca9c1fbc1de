import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { callersByName } from './callers.ts';
import { pending } from './pending.ts';
import { failureText, totals } from './report.ts';
import { type Result, run } from './run.ts';
import { sections } from './sections.ts';
import type { Endpoint } from './site.ts';

/** What an embedded Daguerre as it comes does not offer; every other statement applies to it. */
const notOffered: readonly string[] = [
  'needs cache',
  'needs copy-image',
  'needs glance-direct',
  'needs glance-download',
  'needs http store',
  'needs import',
  'needs keystone',
  'needs multiple stores',
  'needs shown locations',
  'needs two writable stores',
  'needs unified limits',
  'needs web-download',
];

describe('an embedded Daguerre', () => {
  let daguerre: Daguerre;
  let results: readonly Result[] = [];
  const endpoint = (): Endpoint => ({
    base: daguerre.url,
    callers: callersByName(),
    source: undefined,
  });

  before(async () => {
    daguerre = await startDaguerre();
    results = await run(sections, endpoint(), { parallel: 6, pending });
  });
  after(() => daguerre.stop());

  for (const { name, cases } of sections)
    test(`keeps the ${cases.length} statements on ${name}, but for what is pending`, () => {
      const own = results.filter(({ section }) => section === name);
      const failed = own.filter(({ verdict }) => verdict === 'failed');
      assert.deepEqual(failed.map(failureText), []);
      assert.ok(own.length >= cases.length);
    });

  test('is asked everything but what it is known not to offer', (t) => {
    t.diagnostic(`conformance: ${totals(results)}`);
    const reasons = results
      .filter(({ verdict }) => verdict === 'not offered')
      .map(({ why }) => why.replace(/:.*/, ''));
    assert.deepEqual([...new Set(reasons)].sort(), notOffered);
  });

  test('has no image left over', async () => {
    const left = await fetch(`${daguerre.url}/v2/images?visibility=all`);
    assert.deepEqual(((await left.json()) as { images: unknown[] }).images, []);
  });
});
