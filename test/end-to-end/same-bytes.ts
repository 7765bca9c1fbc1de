import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** As `cmp` (of Debian's essential diffutils) sees it: byte for byte, in little memory. */
export async function assertSameBytes(actual: string, expected: string): Promise<void> {
  await promisify(execFile)('cmp', [actual, expected]).catch((error) => {
    assert.fail(`${actual} is not ${expected}: ${error.stdout}${error.stderr}`);
  });
}
