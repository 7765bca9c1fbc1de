import assert from 'node:assert/strict';
import { test } from 'node:test';

/** Names of tests that Daguerre does not pass yet, with what will make them pass. */
export type Awaited = Readonly<Record<string, string>>;

/**
 * `test`, but one that is awaited must fail: what has come is to be taken off the list. Nothing is skipped, so that no
 * command can be forgotten.
 */
export const testUnless =
  (awaited: Awaited) =>
  (name: string, run: () => Promise<void>): void => {
    const reason = awaited[name];
    if (reason === undefined) return void test(name, run);
    test(`${name} (awaited: ${reason})`, async () => {
      const failed = await run().then(
        () => false,
        () => true,
      );
      assert.ok(failed, `"${name}" passes: it is no longer awaited`);
    });
  };
