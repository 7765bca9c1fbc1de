import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { generousMs } from '../support/until.ts';
import { type Mirror, startMirror } from './mirror.ts';

const main = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

interface Said {
  readonly code: number;
  readonly out: string;
}

describe('daguerre import', () => {
  let directory = '';
  let mirror: Mirror;
  let daguerre: Daguerre;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'daguerre-import-'));
    mirror = await startMirror();
    daguerre = await startDaguerre({
      env: {
        DAGUERRE_IMPORT_ALLOWED_CIDRS: '127.0.0.1/32',
        DAGUERRE_IMPORT_ALLOWED_PORTS: String(mirror.port),
        DAGUERRE_IMAGE_COUNT_QUOTA: '5',
      },
    });
  });
  after(async () => {
    await daguerre.stop();
    await mirror.stop();
    await rm(directory, { recursive: true });
  });

  const say = (...args: readonly string[]): Promise<Said> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [main, ...args, '--url', daguerre.url],
        { timeout: generousMs },
        (error, out, err) => resolve({ code: Number(error?.code ?? 0), out: `${out}${err}` }),
      );
    });

  test('uploads a directory, and nothing of it twice', async () => {
    const files = join(directory, 'images');
    await mkdir(join(files, 'deep'), { recursive: true });
    for (const [index, name] of ['one', 'deep/two'].entries()) {
      const bytes = Buffer.from(await (await fetch(mirror.url(900 + index))).arrayBuffer());
      await writeFile(join(files, `${name}.qcow2`), bytes);
    }
    await writeFile(join(files, 'notes.txt'), 'no image');
    const dry = await say('import', files, '--dry-run');
    assert.match(dry.out, /1\. create {2}deep\/two .*\n2\. create {2}one .*\ncreate 2\n$/, dry.out);
    const first = await say('import', files);
    assert.equal(first.code, 0, first.out);
    assert.match(first.out, /completed {2}2\/2, done 2/);
    const second = await say('import', files, '--json');
    assert.equal(JSON.parse(second.out).counts.skipped, 2, second.out);
  });

  test('says what a quota refuses, and tries it again where there is room', async () => {
    const manifest = join(directory, 'manifest.csv');
    const rows = [0, 1, 2, 3].map((index) => `m${index},${mirror.url(index)},${mirror.bytesEach}`);
    await writeFile(manifest, `name,source,size\n${rows.join('\n')}\n`);
    const first = await say('import', manifest);
    assert.equal(first.code, 1, first.out);
    assert.match(first.out, /1 failed:\n.*quota-exceeded/);
    const [, id = ''] = /^import ([0-9a-f-]{36}) of 4 images$/m.exec(first.out) ?? [];
    assert.match(
      (await say('imports', 'list')).out,
      new RegExp(`${id} .*completed {2}4/4, 1 failed`),
    );
    const done = (await say('imports', 'items', id, '--status', 'done')).out.trim().split('\n');
    assert.equal(done.length, 3);
    const { images } = (await (await fetch(`${daguerre.url}/v2/images?name=one`)).json()) as {
      images: { id: string }[];
    };
    await fetch(`${daguerre.url}/v2/images/${images[0]?.id}`, { method: 'DELETE' });
    assert.equal((await say('imports', 'retry', id)).code, 0);
    const end = await say('imports', 'watch', id);
    assert.equal(end.code, 0, end.out);
    const report = await say('imports', 'report', id, '--csv');
    assert.equal(
      report.out
        .trim()
        .split('\n')
        .filter((line) => line.includes(',done,')).length,
      4,
    );
  });

  test('takes what another Glance has, which is here already', async () => {
    const same = await say(
      ...['import', '--from-glance', daguerre.url, '--from-token', 'admin:default:admin'],
      ...['--json', '--dry-run'],
    );
    const { items } = JSON.parse(same.out) as { items: { action: string }[] };
    assert.deepEqual([...new Set(items.map(({ action }) => action))], ['skip'], same.out);
    assert.equal(items.length, 5);
  });

  test('says what is wrong with a manifest, and with how it is called', async () => {
    const manifest = join(directory, 'wrong.yaml');
    await writeFile(manifest, 'images:\n  - name: a\n    sorce: b\n');
    const wrong = await say('import', manifest);
    assert.equal(wrong.code, 1);
    assert.match(wrong.out, /line 3, image 1, sorce: there is no such field/);
    assert.equal((await say('import')).code, 2);
    assert.equal((await say('import', manifest, '--sideways')).code, 2);
    assert.match((await say('import', '--schema')).out, /"Manifest of a bulk import"/);
  });
});
