import { afterEach } from 'node:test';
import type { Daguerre } from '../support/daguerre.ts';

const shownLog = 8_000;

/** Inside a `describe`: after each test that failed, the end of the server's log is written out. */
export function showLogOfFailures(daguerre: () => Daguerre | undefined): void {
  afterEach((context) => {
    if (!('passed' in context) || context.passed) return;
    process.stderr.write(
      `${context.name}: Daguerre's log ends\n${daguerre()?.log().slice(-shownLog)}\n`,
    );
  });
}
