import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runStandalone } from '../support/daguerre.ts';

export const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
/** For directories of tests; gone after them. */
export const root = await mkdtemp(join(tmpdir(), 'daguerre-doctor-'));
after(() => rm(root, { recursive: true }));

interface Finding {
  readonly of: string;
  readonly verdict: string;
  readonly says: string;
}

/** What `daguerre doctor` says, by itself on a data directory of its own unless `args` name one. */
export async function doctor(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const dataDir = ['--data-dir', join(root, 'nowhere')];
  const { ended, log } = runStandalone(['doctor', '--json', ...dataDir, ...args], {
    main: cliMain,
    env,
  });
  const { code } = await ended;
  const findings = JSON.parse(log()) as readonly Finding[];
  assert.equal(code, findings.some(({ verdict }) => verdict === 'fail') ? 1 : 0, log());
  return {
    findings,
    /** That one thing, and no other, is found to be so. */
    says(of: string, verdict: string, says: RegExp): void {
      const found = findings.filter((one) => one.of === of && one.verdict === verdict);
      assert.ok(found.length === 1 && says.test(found[0]?.says ?? ''), log());
    },
  };
}
