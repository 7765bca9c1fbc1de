import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type Answer, ask } from '../support/http.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';
import { octets, rawClient } from './raw/client.ts';
import { identityOf } from './site.ts';

const bytes = randomBytes(100_000);

let directory: string;
let keystone: Keystone;
let daguerre: Daguerre;

const start = () =>
  startDaguerre({ dataDir: join(directory, 'data'), env: identityOf(keystone) }).then((started) => {
    daguerre = started;
  });

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'restart-'));
  keystone = await startKeystone();
  await start();
});

after(async () => {
  await daguerre?.killAll();
  await keystone?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The answer, or undefined while nobody listens. */
const list = (token: string): Promise<Answer | undefined> =>
  ask(daguerre.url, '/v2/images', { headers: { 'X-Auth-Token': token } }).catch(() => undefined);

const answered = (status: number, token: string) =>
  until(`an answer of ${status}`, async () => (await list(token))?.status === status);

async function killGateway(): Promise<void> {
  const victim = await daguerre.kill('gateway');
  assert.notEqual(await daguerre.part('gateway'), victim);
}

/** A session in the middle: one image is active, another waits for its bytes. */
async function sessionOf(token: string) {
  const client = rawClient(daguerre.url, token, {});
  const formats = { disk_format: 'raw', container_format: 'bare', visibility: 'private' };
  const [active, queued] = [await client.create(formats), await client.create(formats)];
  await client.upload(active.id, bytes);
  return {
    async goesOn(): Promise<void> {
      const again = rawClient(daguerre.url, token, {});
      const file = await again.call(200, 'GET', `/v2/images/${active.id}/file`);
      assert.ok(file.bytes.equals(bytes));
      await again.call(409, 'PUT', `/v2/images/${active.id}/file`, bytes, octets);
      await again.upload(queued.id, bytes);
      assert.equal((await again.show(queued.id)).status, 'active');
    },
  };
}

describe('sessions over restarts, with a real Keystone', () => {
  showLogOfFailures(() => daguerre);

  test('a token is still good after kill -9 of the gateway, and its session goes on', async () => {
    const token = await keystone.token('demo');
    const session = await sessionOf(token);
    await killGateway();
    await answered(200, token);
    await session.goesOn();
  });

  test('a token is still good after a stop and start of everything', async () => {
    const token = await keystone.token('demo');
    const session = await sessionOf(token);
    await daguerre.stop();
    await start();
    await session.goesOn();
  });

  test('a token that was revoked while nobody listened is refused afterwards', async () => {
    const [revoked, kept] = [await keystone.token('demo'), await keystone.token('demo')];
    await answered(200, revoked);
    await daguerre.stop();
    await keystone.revoke(revoked);
    await start();
    assert.equal((await list(kept))?.status, 200);
    const refused = await list(revoked);
    assert.equal(refused?.status, 401);
    assert.match(refused.headers['www-authenticate'] ?? '', /^Keystone uri="http/);
  });

  test('a gateway that starts while Keystone is away is 503 until it is back', async () => {
    const token = await keystone.token('demo');
    const session = await sessionOf(token);
    await keystone.kill();
    await killGateway();
    await answered(503, token);
    await keystone.restart();
    await answered(200, token);
    await session.goesOn();
  });

  test('a Keystone that stands still holds up nobody without a word', async () => {
    const token = await keystone.token('demo');
    const session = await sessionOf(token);
    await killGateway();
    keystone.pause();
    try {
      await answered(503, token);
    } finally {
      keystone.resume();
    }
    await answered(200, token);
    await session.goesOn();
  });
});
