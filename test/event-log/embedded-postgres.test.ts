import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rm,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { embeddedBinaries, linkLibraries } from '../../infra/postgres/embedded/binaries.ts';
import { processesOn, stopOrphans } from '../../infra/postgres/embedded/orphans.ts';
import { asUser, requireEntry } from '../../infra/postgres/embedded/run-as.ts';
import {
  type EmbeddedPostgres,
  embeddedPostgresUrl,
  startEmbeddedPostgres,
} from '../../infra/postgres/embedded.ts';
import { silent } from '../support/silent-log.ts';

const childScript = fileURLToPath(new URL('./embedded-child.js', import.meta.url));
/** In a new user namespace: waits until root is mapped there, forbids any further namespace, goes on. */
const waitForMaps = `read _ && exec sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"' sh "$@"`;
const root = process.getuid?.() === 0;

describe('the embedded Postgres', () => {
  // Making a cluster takes long, so most tests share one, each with a table of its own in it.
  let dataDir: string;
  const directories: string[] = [];
  const started: EmbeddedPostgres[] = [];
  const children: ChildProcess[] = [];

  before(async () => {
    dataDir = await newDirectory();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await killed(child);
    await Promise.all(started.splice(0).map((each) => each.stop()));
    for (const directory of directories) await stopOrphans(path.join(directory, 'postgres'));
  });
  after(() => Promise.all(directories.map((each) => rm(each, { recursive: true, force: true }))));

  const newDirectory = async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'daguerre-test-'));
    directories.push(directory);
    return directory;
  };
  const start = async (dataDir: string) => {
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent });
    started.push(postgres);
    return postgres;
  };
  const inChild = (dataDir: string, prefix: readonly string[] = [], options: object = {}) => {
    const [program = '', ...rest] = [...prefix, process.execPath, childScript, dataDir];
    const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    children.push(child);
    return child;
  };

  test('starts again with the data of before, at the same address', async () => {
    const first = await start(dataDir);
    await query(first.url, 'create table kept (note text)');
    await query(first.url, `insert into kept values ('kept')`);
    assert.equal(await embeddedPostgresUrl(dataDir), first.url);
    await first.stop();
    assert.deepEqual(await first.exited, { code: 0, signal: null });
    assert.equal(await embeddedPostgresUrl(dataDir), undefined);

    const second = await start(dataDir);
    assert.equal(second.url, first.url);
    assert.deepEqual(await query(second.url, 'select note from kept'), [{ note: 'kept' }]);
  });

  test('is durable, keeps UTF-8, and listens on no network', async () => {
    const { url } = await start(dataDir);
    for (const [name, value] of Object.entries({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      data_checksums: 'on',
      listen_addresses: '',
      server_encoding: 'UTF8',
    }))
      assert.deepEqual(await query(url, `show ${name}`), [{ [name]: value }]);
    assert.deepEqual(await query(url, `select lower('ÄΣ') as lower`), [{ lower: 'äσ' }]);
  });

  test('comes back after kill -9 of the postmaster with what was committed', async () => {
    const first = await start(dataDir);
    await query(first.url, 'create table committed (note text)');
    await query(first.url, `insert into committed values ('committed')`);
    process.kill(first.pid, 'SIGKILL');
    assert.deepEqual(await first.exited, { code: null, signal: 'SIGKILL' });

    const second = await start(dataDir);
    assert.deepEqual(await query(second.url, 'select note from committed'), [
      { note: 'committed' },
    ]);
  });

  test('stops the orphan of a killed parent and takes its place', async () => {
    const child = inChild(dataDir);
    const orphan = await said(child);
    await query(orphan.url, 'create table orphaned (note text)');
    await killed(child);
    assert.deepEqual(await query(orphan.url, 'select 1 as alive'), [{ alive: 1 }]);

    const next = await start(dataDir);
    assert.notEqual(next.pid, orphan.pid);
    assert.ok(!(await processesOn(path.join(dataDir, 'postgres'))).includes(orphan.pid));
    assert.deepEqual(await query(next.url, 'select note from orphaned'), []);
  });

  test('refuses a data directory that another live process owns', async () => {
    const child = inChild(dataDir);
    const theirs = await said(child);
    await assert.rejects(start(dataDir), new RegExp(`process ${child.pid}.*data-dir`));
    assert.deepEqual(await query(theirs.url, 'select 1 as alive'), [{ alive: 1 }]);
  });

  test('does not take a stranger for its postmaster', async () => {
    const first = await start(dataDir);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const stranger = spawn('sleep', ['600']);
    children.push(stranger);
    const lines = [
      stranger.pid,
      path.join(dataDir, 'postgres'),
      1,
      5432,
      '/nowhere',
      '',
      1,
      'ready',
    ];
    await writeFile(path.join(dataDir, 'postgres', 'postmaster.pid'), `${lines.join('\n')}\n`);

    assert.equal(await embeddedPostgresUrl(dataDir), undefined);
    const second = await start(dataDir);
    assert.deepEqual(await query(second.url, 'select 1 as alive'), [{ alive: 1 }]);
    assert.equal(stranger.exitCode ?? stranger.signalCode, null);
  });

  test('leaves nothing running when its start is given up', async () => {
    const signal = AbortSignal.abort(new Error('never mind'));
    await assert.rejects(startEmbeddedPostgres({ dataDir, log: silent, signal }));
    assert.deepEqual(await processesOn(path.join(dataDir, 'postgres')), []);
    const [owner] = (await readdir(dataDir)).filter((name) => name.startsWith('postgres.owner'));
    assert.equal(await readlink(path.join(dataDir, owner ?? '')), 'released');
  });

  test('makes a new cluster after kill -9 in the middle of making one', async () => {
    const dataDir = await newDirectory();
    const child = inChild(dataDir);
    const drafts = async () =>
      (await readdir(dataDir)).filter((name) => name.startsWith('postgres.initdb-'));
    while ((await drafts()).length === 0) await delay(5);
    await killed(child);
    assert.equal((await drafts()).length, 1);

    const next = await start(dataDir);
    assert.deepEqual(await query(next.url, 'select 1 as alive'), [{ alive: 1 }]);
    assert.deepEqual(await drafts(), []);
  });

  test('works in a directory whose path is too long for a socket', async () => {
    const dataDir = path.join(await newDirectory(), 'long'.repeat(30), 'it\'s, "here"');
    const first = await start(dataDir);
    assert.deepEqual(await query(first.url, 'select 1 as alive'), [{ alive: 1 }]);
    assert.equal(await embeddedPostgresUrl(dataDir), first.url);
    const sockets = new URL(first.url).searchParams.get('host') ?? '';
    assert.ok(sockets.startsWith(os.tmpdir()));
    await first.stop();
    await rm(sockets, { recursive: true });
  });

  test('says why when Postgres does not start', async () => {
    const dataDir = await newDirectory();
    await mkdir(path.join(dataDir, 'postgres'), { mode: 0o700 });
    await assert.rejects(start(dataDir), /ended while starting:[\s\S]*postgresql\.conf/);
  });

  if (root) {
    test('starts for an ordinary user', async () => {
      const dataDir = await newDirectory();
      await chown(dataDir, 65534, 65534);
      const { url } = await said(inChild(dataDir, [], { uid: 65534, gid: 65534 }));
      assert.deepEqual(await query(url, 'select 1 as alive'), [{ alive: 1 }]);
    });

    test('starts for root where user namespaces are not to be had', async () => {
      const dataDir = await newDirectory();
      const child = inChild(dataDir, ['unshare', '-U', 'sh', '-c', waitForMaps, 'sh']);
      await giveMaps(child);
      const { url, pid } = await said(child);
      assert.deepEqual(await query(url, 'select 1 as alive'), [{ alive: 1 }]);
      await killed(child);

      const next = await start(dataDir);
      assert.notEqual(next.pid, pid);
      assert.deepEqual(await query(next.url, 'select 1 as alive'), [{ alive: 1 }]);
    });
  }

  test('names the directory that another user cannot enter', async () => {
    const closed = path.join(await newDirectory(), 'closed');
    await mkdir(closed);
    await chmod(closed, 0o700);
    const { postgres } = await embeddedBinaries();
    const stranger = asUser(54321, 54321);
    const cluster = path.join(closed, 'postgres');
    await assert.rejects(
      requireEntry(stranger, postgres, cluster),
      /user 54321 may not enter [^:]*daguerre-test-[^:]*: .*postgres-url/,
    );
  });

  test('names the setting for a Postgres of your own where npm has none', async () => {
    await assert.rejects(embeddedBinaries('linux', 'pdp11'), /linux-pdp11.*postgres-url/);
  });

  test('makes the library links that an install without scripts leaves out', async () => {
    const installed = await newDirectory();
    const { postgres } = await embeddedBinaries();
    const script = path.join('scripts', 'hydrate-symlinks.js');
    await cp(path.join(postgres, '..', '..', '..', script), path.join(installed, script));
    await writeFile(path.join(installed, 'package.json'), '{"type":"module"}');
    await mkdir(path.join(installed, 'native', 'lib'), { recursive: true });
    await writeFile(path.join(installed, 'native', 'lib', 'libx.so.1.2'), '');
    await writeFile(
      path.join(installed, 'native', 'pg-symlinks.json'),
      '[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"}]',
    );
    await linkLibraries(installed);
    assert.ok((await readdir(path.join(installed, 'native', 'lib'))).includes('libx.so.1'));
  });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function said(child: ChildProcess): Promise<{ pid: number; url: string }> {
  let text = '';
  for await (const piece of child.stdout ?? []) {
    text += piece;
    if (text.endsWith('\n')) return JSON.parse(text);
  }
  throw new Error('the child ended without a word');
}

async function giveMaps(child: ChildProcess): Promise<void> {
  const ours = await readlink('/proc/self/ns/user');
  while ((await readlink(`/proc/${child.pid}/ns/user`)) === ours) await delay(2);
  for (const map of ['uid_map', 'gid_map'])
    await writeFile(`/proc/${child.pid}/${map}`, '0 0 65536');
  child.stdin?.write('\n');
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
