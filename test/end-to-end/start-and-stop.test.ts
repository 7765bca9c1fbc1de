import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { imageApi } from '../support/api.ts';
import {
  type Daguerre,
  type DaguerreOptions,
  partsOfThisRun,
  profileFlags,
  runStandalone,
  startDaguerre,
} from '../support/daguerre.ts';
import { ordinaryUser } from '../support/other-user.ts';
import { processesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';

const bytes = randomBytes(3 * 1024 * 1024);
const stopped = { code: 0, signal: null };

describe('the whole tree', () => {
  let dataDir: string;
  let daguerre: Daguerre | undefined;

  const start = async (options: DaguerreOptions = {}): Promise<Daguerre> => {
    daguerre = await startDaguerre({ dataDir, ...options });
    return daguerre;
  };
  const nothingRuns = () =>
    until('every process of the tree to end', () => processesOf(dataDir).length === 0);

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'daguerre-'));
  });
  afterEach(async () => {
    await daguerre?.killAll();
    daguerre = undefined;
    await nothingRuns();
    await rm(dataDir, { recursive: true, force: true });
  });
  showLogOfFailures(() => daguerre);

  test('says where it listens, where its data is and what to try', async () => {
    const { url, log, parts } = await start();
    const openstack = `openstack --os-auth-type none --os-endpoint ${url} image list`;
    for (const said of [url, dataDir, 'glance image-create', openstack])
      assert.ok(log().includes(said), `nothing of ${said} in:\n${log()}`);
    assert.deepEqual(Object.keys(parts()).sort(), [...partsOfThisRun()].sort());
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`stops cleanly at ${signal}, and a second start finds the data`, async () => {
      const first = await start();
      const id = await activeImage(first);
      assert.deepEqual(await first.stop(signal), stopped);
      assert.equal(existsSync(join(dataDir, 'running.json')), false);
      assert.deepEqual(processesOf(dataDir), []);

      const second = await start();
      await imageApi(second.url).assertHolds(id, bytes);
      assert.deepEqual(await second.stop(), stopped);
    });

  test('stops cleanly at Ctrl-C, which a terminal sends to the whole foreground group', async () => {
    const { child, ended } = runStandalone([...profileFlags(), '--data-dir', dataDir, '--port=0'], {
      detached: true,
    });
    await until('the tree to run', () => existsSync(join(dataDir, 'running.json')));
    process.kill(-(child.pid ?? Number.NaN), 'SIGINT');
    assert.deepEqual(await ended, stopped);
    assert.deepEqual(processesOf(dataDir), []);
  });

  for (const name of partsOfThisRun())
    test(`goes on after kill -9 of the ${name}, and starts again after it`, async () => {
      const first = await start();
      const before = await activeImage(first);
      const victim = await first.kill(name);
      assert.notEqual(await first.part(name), victim);
      const after = await until('an upload to pass', () =>
        activeImage(first).catch(() => undefined),
      );
      assert.deepEqual(await first.stop(), stopped);

      const second = await start();
      for (const id of [before, after]) await imageApi(second.url).assertHolds(id, bytes);
    });

  for (const { what, kill } of [
    { what: 'the parent alone', kill: (tree: Daguerre) => tree.killParent() },
    { what: 'all processes', kill: (tree: Daguerre) => tree.killAll() },
    {
      what: 'all but Postgres',
      kill: async (tree: Daguerre) => {
        await tree.killParent();
        await until('the other parts to follow their parent', () =>
          processesOf(dataDir).every(({ command }) => command.includes('postgres')),
        );
      },
    },
  ])
    test(`starts after kill -9 of ${what}`, async () => {
      const first = await start();
      const id = await activeImage(first);
      await kill(first);
      const second = await start();
      await imageApi(second.url).assertHolds(id, bytes);
      await activeImage(second);
      assert.deepEqual(await second.stop(), stopped);
      await nothingRuns();
    });

  test('is refused, by name, a data directory that another one has', async () => {
    const first = await start();
    const { ended, log } = runStandalone([...profileFlags(), '--data-dir', dataDir, '--port=0']);
    assert.deepEqual(await ended, { code: 1, signal: null });
    assert.match(log(), new RegExp(`another Daguerre \\(process ${first.pid}\\).*data-dir`));
    await activeImage(first);
  });

  test('is refused, by name, a port that another program has', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      const args = ['--data-dir', dataDir, '--port', String(port)];
      const { ended, log } = runStandalone([...profileFlags(), ...args]);
      assert.deepEqual(await ended, { code: 1, signal: null });
      assert.match(log(), new RegExp(`EADDRINUSE.*${port}|${port}.*in use`));
      await nothingRuns();
    } finally {
      taken.close();
    }
  });

  test("runs for an ordinary user, in that user's home", async () => {
    const { prefix, main, home } = await ordinaryUser();
    try {
      const inHome = join(home, '.local', 'share', 'daguerre');
      const env = { HOME: home, XDG_DATA_HOME: '', TMPDIR: home };
      const tree = await start({ dataDir: inHome, env, prefix, main });
      const id = await activeImage(tree);
      assert.deepEqual(await tree.stop(), stopped);
      await imageApi((await start({ dataDir: inHome, env, prefix, main })).url).assertHolds(
        id,
        bytes,
      );
    } finally {
      await daguerre?.killAll();
      await until('the processes of that user to end', () => processesOf(home).length === 0);
      await rm(home, { recursive: true, force: true });
    }
  });
});

describe('the command line', () => {
  const told = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { ended, log } = runStandalone(args, { env });
    return { ...(await ended), text: log() };
  };

  test('shows every option with --help', async () => {
    const { code, text } = await told(['--help']);
    assert.equal(code, 0);
    for (const option of [
      '--data-dir',
      '--port',
      '--host',
      '--postgres-url',
      '--identity',
      '--config',
    ])
      assert.ok(text.includes(option), `no ${option} in:\n${text}`);
  });

  for (const { what, args = [], env = {}, named } of [
    { what: 'a port that is none', args: ['--port', '70000'], named: /--port: "70000"/ },
    {
      what: 'the same from the environment',
      env: { DAGUERRE_PORT: 'http' },
      named: /DAGUERRE_PORT: "http"/,
    },
    { what: 'an unknown flag', args: ['--prot', '80'], named: /--prot/ },
    { what: 'an unknown variable', env: { DAGUERRE_PROT: '80' }, named: /DAGUERRE_PROT/ },
    {
      what: 'a database that is none',
      args: ['--postgres-url', 'mysql://x'],
      named: /--postgres-url: "mysql:\/\/x"/,
    },
    {
      what: 'a file that is not there',
      args: ['--config', '/nowhere.yaml'],
      named: /\/nowhere\.yaml/,
    },
    {
      what: 'an open network with identity none',
      args: ['--host', '0.0.0.0'],
      named: /--host 0\.0\.0\.0.*allow-unauthenticated-network/s,
    },
  ])
    test(`refuses ${what}, by name, with exit code 2`, async () => {
      const { code, text } = await told(args, env);
      assert.equal(code, 2, text);
      assert.match(text, named);
    });
});

/** Creates and uploads; resolves with the id of an active image. */
async function activeImage(daguerre: Daguerre): Promise<string> {
  const api = imageApi(daguerre.url);
  const id = await api.create({ name: 'kept' });
  await api.upload(id, bytes);
  return id;
}
