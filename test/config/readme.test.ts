import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { settingsHelp } from '../../infra/config/config.ts';

/** In the closest folder above the compiled test, however deep it was built. */
function readme(folder = new URL('.', import.meta.url)): string {
  const file = new URL('README.md', folder);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const above = new URL('..', folder);
  if (above.href === folder.href) throw new Error('there is no README.md above the tests');
  return readme(above);
}

test('README.md shows every setting as --help does', () => {
  const blocks = readme().split(/^```.*\n/m);
  const shown = blocks.find((block) => block.includes('--data-dir DIR'));
  assert.equal(shown, `${settingsHelp()}\n`);
});
