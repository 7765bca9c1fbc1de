import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';

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

test('the example of several stores is a configuration', (t) => {
  const example = readme()
    .split(/^```.*\n/m)
    .find((block) => block.startsWith('stores:'));
  const directory = mkdtempSync(join(tmpdir(), 'daguerre-readme-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'daguerre.yaml');
  writeFileSync(file, example ?? '');
  const { stores, 'default-store': usual } = configFrom(['--config', file], {});
  assert.deepEqual([stores.map(({ id }) => id), usual], [['cheap', 'fast', 'web'], 'cheap']);
});
