import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { markedFor } from '../../infra/store/directory-mark.ts';
import { doctor, root } from './doctor.ts';

describe('the doctor, of what the settings say', () => {
  test('names what cannot be so', async () => {
    const asked = await doctor(['--port', '99999']);
    asked.says('configuration', 'fail', /--port: "99999"/);
  });

  test('names a directory that cannot be written, or is none', async () => {
    const file = join(root, 'file');
    await writeFile(file, '');
    const asked = await doctor(['--staging-dir', '/sys/kernel', '--store-dir', join(file, 'in')]);
    asked.says('staging', 'fail', /\/sys\/kernel .*(chown|read-only|cannot be written)/);
    asked.says('store file', 'fail', /is not a directory/);
    asked.says('data directory', 'warn', /nowhere is not there; a start makes it/);
  });

  test('names a store in the directory of another', async () => {
    const dir = join(root, 'marked');
    await mkdir(dir);
    await markedFor(dir, 'fast');
    (await doctor(['--store-dir', dir])).says('store file', 'fail', /the store fast/);
  });

  test('says that the embedded Postgres does not run', async () => {
    (await doctor()).says('postgres', 'warn', /does not run in .*nowhere: npm start/);
  });
});
