import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { signsName } from '../../infra/shared-directories/signs.ts';
import { imageApi } from '../support/api.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { gone, killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

const leaseMs = 2_000;

describe('a gateway or a worker beside others', () => {
  let root: string;
  let daguerre: Daguerre;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'daguerre-shared-'));
    daguerre = await startDaguerre({
      dataDir: join(root, 'first'),
      args: ['--lease-ms', String(leaseMs)],
    });
  });
  after(async () => {
    await daguerre?.killAll();
    await rm(root, { recursive: true, force: true });
  });

  /** As on a host of its own, which knows no more than the addresses. */
  const start = (part: 'gateway' | 'worker', settings: Readonly<Record<string, string>>) =>
    started(part, {
      DAGUERRE_POSTGRES_URL: daguerre.postgresUrl,
      DAGUERRE_LEASE_MS: String(leaseMs),
      DAGUERRE_PORT: '0',
      ...settings,
    });
  const shared = () => ({
    DAGUERRE_STAGING_DIR: join(daguerre.dataDir, 'staging'),
    DAGUERRE_STORE_DIR: join(daguerre.dataDir, 'store'),
  });

  for (const part of ['gateway', 'worker'] as const) {
    test(`is refused at its start with a staging directory of its own: a ${part}`, async () => {
      const dataDir = join(root, `own-staging-${part}`);
      const one = start(part, {
        ...shared(),
        DAGUERRE_DATA_DIR: dataDir,
        DAGUERRE_STAGING_DIR: join(dataDir, 'staging'),
      });
      assert.equal(await one.ended, 2, one.output());
      const said = `--staging-dir ${dataDir}/staging: is not the directory that (gateway|worker)-[-0-9a-f]+ has on ${hostname()} as ${daguerre.dataDir}/staging`;
      assert.match(one.output(), new RegExp(said));
    });

    test(`is refused with a store directory of its own: a ${part}`, async () => {
      const dataDir = join(root, `own-store-${part}`);
      const { DAGUERRE_STAGING_DIR } = shared();
      const one = start(part, { DAGUERRE_DATA_DIR: dataDir, DAGUERRE_STAGING_DIR });
      assert.equal(await one.ended, 2, one.output());
      assert.match(one.output(), new RegExp(`--store-dir ${dataDir}/store: is not the directory`));
    });

    test(`starts with a data directory of its own and the others' directories: a ${part}`, async () => {
      const one = start(part, { ...shared(), DAGUERRE_DATA_DIR: join(root, `own-data-${part}`) });
      await one.ready;
      await one.stop();
    });
  }

  test('is refused with a copy of the others’ directory, as on a host that was cloned', async () => {
    const dataDir = join(root, 'cloned');
    await cp(join(daguerre.dataDir, 'staging'), join(dataDir, 'staging'), { recursive: true });
    await cp(join(daguerre.dataDir, 'store'), join(dataDir, 'store'), { recursive: true });
    const restarted = await daguerre.kill('worker');
    assert.notEqual(await daguerre.part('worker'), restarted);
    await until('the new worker to be at work', async () => {
      const api = imageApi(daguerre.url);
      await api.upload(await api.create(), Buffer.from('bytes'));
      return true;
    });
    const one = start('worker', { DAGUERRE_DATA_DIR: dataDir });
    assert.equal(await one.ended, 2, one.output());
    assert.match(one.output(), /--staging-dir .* is not the directory/);
  });

  test('leaves nothing of itself behind when it stops or is refused', async () => {
    const client = new pg.Client(daguerre.postgresUrl);
    await client.connect();
    const { rows } = await client.query<{ owner: string; name: string; directory: string }>(
      'select owner, name, directory from shared_directories',
    );
    await client.end();
    for (const name of ['staging', 'store']) {
      const joined = rows.filter((row) => row.name.startsWith(name));
      const directory = join(daguerre.dataDir, name);
      assert.deepEqual([...new Set(joined.map((row) => row.directory))], [directory]);
      const signs = await readdir(join(directory, signsName));
      assert.deepEqual(signs.sort(), joined.map(({ owner }) => owner).sort());
      assert.equal(signs.length, 3, 'the gateway, the worker, and the worker that was killed');
    }
  });
});

describe('a system whose directories were moved', () => {
  test('starts at the new place after its processes stopped, or were killed', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-moved-'));
    const lease = ['--lease-ms', String(leaseMs)];
    const first = await startDaguerre({ dataDir, args: lease });
    await first.stop();
    const staging = ['--staging-dir', join(dataDir, 'moved')];
    const second = await startDaguerre({ dataDir, args: [...lease, ...staging] });
    await second.killAll();
    const third = await startDaguerre({ dataDir, args: lease });
    const api = imageApi(third.url);
    await api.upload(await api.create(), Buffer.from('bytes'));
    await third.stop();
    await rm(dataDir, { recursive: true });
  });
});

function started(part: string, settings: Readonly<Record<string, string>>) {
  const main = fileURLToPath(new URL(`../../apps/${part}/main.js`, import.meta.url));
  const child: ChildProcess = fork(main, [], {
    // biome-ignore lint/style/noProcessEnv: a child needs PATH and TMPDIR
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => pieces.push(piece.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const ready = Promise.race([
    once(child, 'message'),
    ended.then((code) =>
      Promise.reject(new Error(`${part} ended with ${code}: ${pieces.join('')}`)),
    ),
  ]);
  ready.catch(() => {});
  after(async () => {
    if (child.pid === undefined || child.exitCode !== null) return;
    killNow(child.pid);
    await gone([child.pid]);
  });
  return {
    ready,
    ended,
    output: () => pieces.join(''),
    async stop() {
      child.kill('SIGTERM');
      assert.equal(await ended, 0, pieces.join(''));
    },
  };
}
