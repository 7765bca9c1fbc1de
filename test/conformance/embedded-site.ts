import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { callersByName } from './callers.ts';
import { pending } from './pending.ts';
import { failureText, totals } from './report.ts';
import { type Result, run } from './run.ts';
import { sections } from './sections.ts';

export interface EmbeddedSite {
  /** Flags to start it with, and what its stores may fetch from. */
  begin(): Promise<{
    readonly args: readonly string[];
    readonly source?: string;
    end?(): Promise<void>;
  }>;
  /** Features that it does not offer, sorted; every other statement applies to it. */
  readonly lacks: readonly string[];
}

/** Every statement of the reference, asked of an embedded Daguerre that is configured so. */
export function keepsTheReference(name: string, { begin, lacks }: EmbeddedSite): void {
  describe(name, () => {
    let daguerre: Daguerre | undefined;
    let results: readonly Result[] = [];
    let end: (() => Promise<void>) | undefined;

    before(async () => {
      const site = await begin();
      end = site.end;
      daguerre = await startDaguerre({ args: site.args });
      const endpoint = { base: daguerre.url, callers: callersByName(), source: site.source };
      results = await run(sections, endpoint, { parallel: 6, pending });
    });
    after(async () => {
      await daguerre?.stop();
      await end?.();
    });

    for (const { name: section, cases } of sections)
      test(`keeps the ${cases.length} statements on ${section}, but for what is pending`, () => {
        const own = results.filter((result) => result.section === section);
        const failed = own.filter(({ verdict }) => verdict === 'failed');
        assert.deepEqual(failed.map(failureText), []);
        assert.ok(own.length >= cases.length);
      });

    test('is asked everything but what it is known not to offer', (t) => {
      t.diagnostic(`conformance: ${totals(results)}`);
      const reasons = results
        .filter(({ verdict }) => verdict === 'not offered')
        .map(({ why }) => why.replace(/^needs ([^:]*):.*/, '$1'));
      assert.deepEqual([...new Set(reasons)].sort(), lacks);
    });

    test('has no image left over', async () => {
      const left = await fetch(`${daguerre?.url}/v2/images?visibility=all`);
      assert.deepEqual(((await left.json()) as { images: unknown[] }).images, []);
    });
  });
}
