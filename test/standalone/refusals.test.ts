import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { markedFor } from '../../infra/store/directory-mark.ts';
import { runStandalone, standaloneMain } from '../support/daguerre.ts';

const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const root = await mkdtemp(join(tmpdir(), 'daguerre-refusals-'));
after(() => rm(root, { recursive: true }));

const told = async (main: string, args: readonly string[]) => {
  const { child, ended, log } = runStandalone(args, { main });
  after(() => child.kill('SIGKILL'));
  return { ...(await ended), text: log() };
};

describe('a data directory that cannot be made is refused by name', () => {
  for (const directory of ['/proc/nowhere', '/dev/null/nowhere'])
    for (const [main, args] of [
      [standaloneMain, []],
      [cliMain, ['migrate']],
    ] as const)
      test(`${directory} by ${args[0] ?? 'the start'}`, async () => {
        const { code, text } = await told(main, [...args, '--data-dir', directory]);
        assert.equal(code, 1);
        assert.match(text, new RegExp(`--data-dir ${directory}: cannot be made: E`));
      });
});

describe('a directory for bytes that cannot be made is refused by name', () => {
  for (const name of ['staging-dir', 'store-dir'])
    test(`--${name}`, async () => {
      const args = ['--data-dir', join(root, name), `--${name}`, '/proc/nowhere'];
      const { code, text } = await told(standaloneMain, args);
      assert.equal(code, 1);
      assert.match(text, new RegExp(`--${name} /proc/nowhere: cannot be made: E`));
    });
});

test('a store under another name, or over the directory of another, is refused by both names', async () => {
  const dir = join(root, 'marked');
  await mkdir(dir);
  await Promise.all([1, 2, 3].map(() => markedFor(dir, 'file')));
  await symlink(dir, join(root, 'led-there'));
  for (const path of [dir, join(root, 'led-there')]) {
    const config = join(root, 'renamed.yaml');
    await writeFile(config, `stores: [{ id: main, type: file, dir: ${path} }]`);
    const args = ['--data-dir', join(root, 'renaming'), '--config', config];
    const { code, text } = await told(standaloneMain, args);
    assert.equal(code, 1);
    assert.match(
      text,
      /stores: dir of main: .*: holds what images have in the store file, not main/,
    );
  }
});

describe('a directory that never was Daguerre’s', () => {
  for (const command of ['status', 'rebuild'])
    test(`is left alone by ${command}`, async () => {
      const absent = join(root, command);
      const foreign = join(root, `${command}-foreign`);
      await mkdir(foreign);
      for (const directory of [absent, foreign, '/dev/null/nowhere']) {
        const { code, text } = await told(cliMain, [command, '--data-dir', directory]);
        assert.equal(code, 1);
        assert.ok(text.includes(`there is no Daguerre in ${directory}; npm start makes one`), text);
      }
      assert.equal(existsSync(absent), false);
      assert.equal(existsSync(join(foreign, 'postgres')), false);
    });
});

describe('a database that cannot be reached is refused by the name of its setting, without its password', () => {
  for (const [main, args, setting] of [
    [standaloneMain, [], 'postgres-url'],
    [standaloneMain, [], 'event-log-url'],
    [cliMain, ['status'], 'postgres-url'],
  ] as const)
    test(`${setting} by ${args[0] ?? 'the start'}`, async () => {
      const url = 'postgres://me:secret@127.0.0.1:1/none';
      const asked = [...args, '--data-dir', join(root, 'unreached'), `--${setting}`, url];
      const { code, text } = await told(main, asked);
      assert.equal(code, 1);
      assert.match(text, new RegExp(`--${setting}: cannot be reached: connect ECONNREFUSED`));
      assert.equal(text.includes('secret'), false);
    });
});
