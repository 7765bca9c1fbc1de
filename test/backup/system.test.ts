import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { requireManifest } from '../../infra/backup/manifest.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { run, start } from '../cli/program.ts';
import { imageApi } from '../support/api.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { killNow } from '../support/processes.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { backupSite, fill } from './site.ts';

const directories: string[] = [];
/** Removed once all tests are over: a hook of the test's own would come before those that stop what runs in it. */
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-restored-'));
  directories.push(directory);
  return directory;
}

/** What a system says to whoever asks for everything that there is. */
async function answersOf(url: string, ids: readonly string[], asOf: string) {
  const ask = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return [path, response.status, await response.text()] as const;
  };
  const changesOf = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    const { changes = [] } = (await response.json()) as { changes?: readonly { type: string }[] };
    return [path, response.status, changes.filter(({ type }) => type !== 'LogRestored')] as const;
  };
  const answers: unknown[] = [
    await ask('/v2/images?sort=created_at:asc&limit=100'),
    await ask('/v2/metadefs/namespaces'),
    await ask('/v2/metadefs/namespaces/Ns'),
    await ask(`/history/v1/images?as_of_position=${asOf}&sort=created_at:asc&limit=100`),
    await changesOf('/history/v1/events?limit=1000'),
  ];
  for (const id of ids) {
    answers.push(await ask(`/v2/images/${id}`), await ask(`/v2/images/${id}/members`));
    answers.push(await changesOf(`/history/v1/images/${id}`));
    answers.push(await ask(`/history/v1/images/${id}?as_of_position=${asOf}`));
  }
  for (const id of ids) {
    const response = await fetch(`${url}/v2/images/${id}/file`);
    const bytes = Buffer.from(await response.arrayBuffer());
    answers.push([id, response.status, createHash('sha256').update(bytes).digest('hex')]);
  }
  return answers;
}

describe('The command', { concurrency: false }, () => {
  test('backs a running system up, bytes and all, and what is restored answers the same', async (t) => {
    const directory = await temporary();
    const backup = join(directory, 'backup');
    const args = ['--audit-checkpoint-ms', '100'];
    const original = await startDaguerre({ args });
    t.after(() => original.stop());
    const pool = postgresPool(original.postgresUrl, { log: silent, max: 1 });
    t.after(() => pool.end());
    const api = imageApi(original.url);
    const json = { 'content-type': 'application/json' };
    const ids = await Promise.all(
      Array.from({ length: 6 }, (_, number) =>
        api.create({ name: `image ${number}`, tags: [`tag-${number}`], os_distro: 'debian' }),
      ),
    );
    const [kept = '', off = '', gone = '', shared = '', late = ''] = ids;
    for (const id of [kept, off, gone, shared]) await api.upload(id, randomBytes(300_000));
    await api.call(204, `images/${off}/actions/deactivate`, { method: 'POST' });
    const member = JSON.stringify({ member: 'red' });
    await api.call(200, `images/${shared}/members`, {
      method: 'POST',
      body: member,
      headers: json,
    });
    await api.call(201, 'metadefs/namespaces', {
      ...{ method: 'POST', headers: json },
      body: JSON.stringify({ namespace: 'Ns', visibility: 'public' }),
    });

    let isOver = false;
    const others = (async () => {
      while (!isOver) await api.create();
    })();
    const first = await run(['backup', backup, '--bytes', '--data-dir', original.dataDir]);
    isOver = true;
    await others;
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /bytes of 4 objects, 1200000 bytes, 4 of them new/);
    const asOf = (await requireManifest(backup)).log.position;

    await api.call(204, `images/${gone}`, { method: 'DELETE' });
    await api.upload(late, randomBytes(70_000));
    const { rows } = await pool.query('select position from event_counter');
    await until('all of it to be signed', async () => {
      const signed = await pool.query('select max(position) as position from audit_checkpoints');
      return signed.rows[0]?.position >= rows[0]?.position;
    });
    const second = await run(['backup', backup, '--data-dir', original.dataDir]);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /bytes of 4 objects, 970000 bytes, 1 of them new/);
    assert.equal((await readdir(join(backup, 'bytes'))).includes(gone), false);
    const manifest = await requireManifest(backup);
    const seen = join(directory, 'seen');
    await writeFile(seen, manifest.checkpoint?.note ?? '');
    const expected = await answersOf(original.url, ids, asOf);
    const statuses = expected.map((answer) => (answer as readonly unknown[])[1]);
    assert.deepEqual(
      statuses.slice(0, 9),
      Array.from({ length: 9 }, () => 200),
    );
    assert.deepEqual(statuses.slice(-6), [200, 200, 404, 200, 200, 204]);
    const key = (await run(['audit', 'key', '--data-dir', original.dataDir])).stdout.trim();
    const verified = await run(['backup', 'verify', backup, '--key', key]);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await original.stop();

    const dataDir = join(directory, 'data');
    const restored = await run(['restore', backup, '--data-dir', dataDir]);
    assert.equal(restored.code, 0, restored.stdout + restored.stderr);
    const again = await run(['restore', backup, '--data-dir', dataDir]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /the database is not empty/);
    const copy = await startDaguerre({ dataDir, args });
    t.after(() => copy.stop());
    const actual = await answersOf(copy.url, ids, asOf);
    const own = (text: string) => text.replaceAll(original.url, copy.url);
    assert.deepEqual(actual, JSON.parse(own(JSON.stringify(expected))));

    await imageApi(copy.url).upload(ids[5] ?? '', randomBytes(10));
    const bundle = join(directory, 'bundle');
    const size = manifest.log.events + 4;
    const copied = postgresPool(copy.postgresUrl, { log: silent, max: 1 });
    await until('what happens now to be signed', async () => {
      const signed = await copied.query('select max(size) as size from audit_checkpoints');
      return Number(signed.rows[0]?.size) >= size;
    }).finally(() => copied.end());
    await run(['audit', 'bundle', '--all', '-o', bundle, '--data-dir', dataDir]);
    const checked = await run(['audit', 'verify', bundle, '--key', key, '--seen', seen]);
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  });

  test('killed at its work leaves the backup as it was, and the next run brings it up', async (t) => {
    const site = await backupSite(t);
    const settings = ['--postgres-url', site.database.url, '--data-dir', await temporary()];
    await fill(site.database, 100);
    assert.equal((await run(['backup', site.backup, ...settings])).code, 0);
    await fill(site.database, 30_000);
    const running = start(['backup', site.backup, ...settings]);
    await until('a part of it to be written', async () => {
      return (await readdir(join(site.backup, 'log'))).length > 2;
    });
    killNow(running.child.pid ?? 0);
    assert.equal((await running.ended).code, null);
    const after = await site.verify();
    assert.deepEqual([after.findings, after.events], [[], 100]);
    const again = await run(['backup', site.backup, ...settings]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /30100 events up to position 30100, 30000 of them new/);
    const { segments } = await site.manifest();
    assert.deepEqual(
      (await readdir(join(site.backup, 'log'))).sort(),
      segments.map(({ file }) => file.replace('log/', '')),
    );
    assert.deepEqual((await site.verify()).findings, []);
  });

  test('stopped by Ctrl-C says that the backup is as it was', async (t) => {
    const site = await backupSite(t);
    const settings = ['--postgres-url', site.database.url, '--data-dir', await temporary()];
    await fill(site.database, 30_000);
    const running = start(['backup', site.backup, ...settings]);
    await until('a part of it to be written', async () => {
      return (await readdir(join(site.backup, 'log')).catch(() => [])).length > 0;
    });
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    assert.equal(code, 1);
    assert.match(stderr, /interrupted; the backup in .* is as it was before/);
    assert.equal((await readdir(site.backup)).includes('manifest.json'), false);
    assert.equal((await run(['backup', site.backup, ...settings])).code, 0);
  });

  test('restores nothing that is damaged, no directory that is no backup, and over no other key', async (t) => {
    const site = await backupSite(t);
    await site.append(6);
    await site.signed(6);
    await site.take();
    const nothing = await run(['restore', join(site.directory, 'nowhere')]);
    assert.equal(nothing.code, 2);
    assert.match(nothing.stderr, /neither the id of an image nor a directory with a backup/);
    const dataDir = await temporary();
    const into = ['--postgres-url', site.database.url, '--data-dir', dataDir];
    const refused = await run(['restore', site.backup, ...into]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /the database is not empty: there are rows in events/);
    const keyFile = join(site.directory, 'other-key');
    await writeFile(keyFile, `PRIVATE+KEY+${randomUUID()}\n`, { mode: 0o600 });
    const other = await run(['restore', site.backup, ...into, '--audit-key-file', keyFile]);
    assert.match(other.stderr, /is another key than the one in the backup/);
    assert.equal((await readFile(keyFile, 'utf8')).startsWith('PRIVATE+KEY+'), true);
  });
});
