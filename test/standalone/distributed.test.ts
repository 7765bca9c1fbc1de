import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { connect } from 'nats';
import { imageApi } from '../support/api.ts';
import { runStandalone, startDaguerre } from '../support/daguerre.ts';
import { natsServer } from '../support/nats.ts';
import { requirePackage } from '../support/packages.ts';
import { processesOf } from '../support/processes.ts';
import { redisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-distributed-'));
after(() => rm(root, { recursive: true, force: true }));
const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const bytes = randomBytes(500_000);

describe('a start in the distributed profile', () => {
  test('runs servers of its own, as a queue and a bus want them, and as many processes as asked for', async () => {
    const dataDir = join(root, 'own');
    const numbers = ['--gateways', '2', '--workers', '2', '--projectors', '2'];
    const daguerre = await startDaguerre({ dataDir, args: ['--distributed', ...numbers] });
    after(() => daguerre.killAll());
    assert.deepEqual(Object.keys(daguerre.parts()).sort(), [
      ...['gateway', 'gateway-2', 'nats', 'postgres', 'projector', 'projector-2'],
      ...['redis', 'relay', 'worker', 'worker-2'],
    ]);

    const apis = daguerre.urls.map(imageApi);
    assert.equal(apis.length, 2);
    const [one = imageApi(''), other = imageApi('')] = apis;
    const id = await one.create();
    await other.upload(id, bytes);
    await one.assertHolds(id, bytes);

    const redis = new Redis(daguerre.redisUrl ?? '');
    const kept = async (name: string) => (await redis.config('GET', name)) as string[];
    assert.deepEqual(await kept('appendonly'), ['appendonly', 'yes']);
    assert.deepEqual(await kept('maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
    assert.deepEqual(await kept('bind'), ['bind', '127.0.0.1']);
    assert.ok((await redis.keys('*')).length > 0, 'jobs have been there');
    redis.disconnect();

    const nats = await connect(natsOf(daguerre.natsUrl));
    const manager = await nats.jetstreamManager();
    await until('the upload to be told', async () => {
      const { state } = await manager.streams.info('DAGUERRE');
      return state.messages > 0;
    });
    await nats.close();

    const status = runStandalone(['status', '--data-dir', dataDir], { main: cliMain });
    assert.equal((await status.ended).code, 0, status.log());
    for (const line of [
      /^relay +DAGUERRE at/m,
      /^jobs +\d+ waiting/m,
      /^lease +dispatcher is held by worker-/m,
    ])
      assert.match(status.log(), line);

    assert.ok(
      daguerre.urls.every((url) => daguerre.log().includes(url)),
      daguerre.log(),
    );
    assert.deepEqual(await daguerre.stop(), { code: 0, signal: null });
    assert.deepEqual(processesOf(dataDir), []);
  });

  test('lets nobody in without the secret, though everybody on the machine can reach loopback', async () => {
    const daguerre = await startDaguerre({
      dataDir: join(root, 'secret'),
      args: ['--distributed'],
    });
    after(() => daguerre.killAll());
    const { host } = new URL(daguerre.redisUrl ?? '');
    const stranger = new Redis(`redis://${host}`);
    stranger.on('error', () => {}); // else it is written out; each question is answered besides
    await assert.rejects(stranger.keys('*'), /NOAUTH/);
    stranger.disconnect();
    const servers = new URL(daguerre.natsUrl ?? '').host;
    await assert.rejects(connect({ servers }), { code: 'AUTHORIZATION_VIOLATION' });
    for (const secret of [daguerre.redisUrl, daguerre.natsUrl].map(secretOf)) {
      assert.equal(daguerre.log().includes(secret), false);
      for (const { command } of processesOf(daguerre.dataDir))
        assert.equal(command.includes(secret), false, command);
    }
    await daguerre.stop();
  });

  test('finds its servers where they were after everything was killed', async () => {
    const dataDir = join(root, 'again');
    const first = await startDaguerre({ dataDir, args: ['--distributed'] });
    await first.killAll();
    const second = await startDaguerre({ dataDir, args: ['--distributed'] });
    after(() => second.killAll());
    assert.deepEqual([second.natsUrl, second.redisUrl], [first.natsUrl, first.redisUrl]);
    await second.killParent();
    await until('nats-server and redis-server to follow their parent', () =>
      processesOf(dataDir).every(({ command }) => !/nats-server|redis-server/.test(command)),
    );
    const third = await startDaguerre({ dataDir, args: ['--distributed'] });
    await third.stop();
  });

  test('starts none where others are named', async () => {
    const [nats, redis] = [await natsServer(), await redisServer()];
    const named = ['--nats-url', nats.url, '--redis-url', redis.url];
    const dataDir = join(root, 'named');
    const daguerre = await startDaguerre({ dataDir, args: ['--distributed', ...named] });
    after(() => daguerre.killAll());
    const parts = ['gateway', 'postgres', 'projector', 'relay', 'worker'];
    assert.deepEqual(Object.keys(daguerre.parts()).sort(), parts);
    assert.deepEqual([daguerre.natsUrl, daguerre.redisUrl], [nats.url, redis.url]);
    await daguerre.stop();
  });
});

describe('a start in the distributed profile, where the servers are not installed', () => {
  /** A PATH with what is always there, and `more` as scripts. */
  async function pathWith(name: string, more: Readonly<Record<string, string>>): Promise<string> {
    const directory = join(root, name);
    await mkdir(directory);
    for (const tool of ['sh', 'setpriv', 'unshare', 'ln', 'ps'])
      await symlink(join('/usr/bin', tool), join(directory, tool));
    for (const [file, text] of Object.entries(more)) {
      await writeFile(join(directory, file), text);
      await chmod(join(directory, file), 0o755);
    }
    return directory;
  }

  test('names the packages exactly and ends with 2', async () => {
    const PATH = await pathWith('without-apt', {});
    const dataDir = join(root, 'refused');
    const { ended, log } = runStandalone(['--distributed', '--data-dir', dataDir], {
      env: { PATH },
    });
    assert.deepEqual(await ended, { code: 2, signal: null });
    assert.match(log(), /apt-get install --no-install-recommends nats-server redis-server$/m);
    assert.match(log(), /--nats-url and --redis-url/);
    const named = ['--nats-url', 'nats://127.0.0.1:1', '--data-dir', dataDir];
    const half = runStandalone(['--distributed', ...named], { env: { PATH } });
    assert.equal((await half.ended).code, 2);
    assert.match(half.log(), /--no-install-recommends redis-server$/m);
  });

  test('says why when they cannot be installed', async () => {
    const PATH = await pathWith('failing-apt', {
      'apt-get': '#!/bin/sh\necho no network >&2\nexit 100\n',
      sudo: sudoScript,
    });
    const dataDir = join(root, 'not-installed');
    const { ended, log } = runStandalone(['--distributed', '--data-dir', dataDir], {
      env: { PATH },
    });
    assert.equal((await ended).code, 2);
    assert.match(log(), /no network/);
  });

  test('installs them where it may, and runs', async () => {
    for (const name of ['nats-server', 'redis-server']) requirePackage(name);
    const name = 'with-apt';
    const links = ['/usr/sbin/nats-server', '/usr/bin/redis-server'].join(' ');
    const PATH = await pathWith(name, {
      'apt-get': `#!/bin/sh\nfor word; do last=$word; done\n[ "$last" = redis-server ] || exit 1\nln -s ${links} ${join(root, name)}\n`,
      sudo: sudoScript,
    });
    const daguerre = await startDaguerre({
      dataDir: join(root, 'installed'),
      args: ['--distributed'],
      env: { PATH },
    });
    after(() => daguerre.killAll());
    assert.match(daguerre.log(), /^installing nats-server redis-server$/m);
    await daguerre.stop();
  });
});

/** `sudo -n COMMAND` of a user who may. */
const sudoScript = '#!/bin/sh\nshift\nexec "$@"\n';

const natsOf = (url: string | null) => {
  const { host, username } = new URL(url ?? '');
  return { servers: host, token: username };
};

const secretOf = (url: string | null): string => {
  const { username, password } = new URL(url ?? '');
  return password || username;
};
