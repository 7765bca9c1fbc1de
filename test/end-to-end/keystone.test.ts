import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clientsWith, succeeded, tableOf } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { rawDisk } from '../support/images.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';
import { assertSameBytes } from './same-bytes.ts';
import { identityOf } from './site.ts';

let directory: string;
let keystone: Keystone;
let daguerre: Daguerre;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keystone-clients-'));
  keystone = await startKeystone();
  daguerre = await startDaguerre({
    env: { ...identityOf(keystone), DAGUERRE_KEYSTONE_TOKEN_CACHE_SECONDS: '1' },
  });
  await keystone.setImageUrl(daguerre.url);
});

after(async () => {
  await daguerre?.stop();
  await keystone?.stop();
  await rm(directory, { recursive: true, force: true });
});

const as = (user: string, project = user) => clientsWith(keystone.environment(user, project));

const show = (imageId: string, token: string) =>
  fetch(`${daguerre.url}/v2/images/${imageId}`, { headers: { 'X-Auth-Token': token } });

describe('stock clients with a real Keystone', () => {
  showLogOfFailures(() => daguerre);

  test('an image goes in and out, and belongs to its project', async () => {
    const file = await rawDisk(directory, { contentBytes: 1_000_000 });
    const created = tableOf(
      await succeeded(
        as('demo').glance(
          ...['image-create', '--name', 'mine', '--file', file],
          ...['--disk-format', 'raw', '--container-format', 'bare', '--visibility', 'private'],
        ),
      ),
    );
    assert.equal(created.status, 'active');
    assert.equal(created.owner, await keystone.api.idOf('project', 'demo'));
    const id = created.id ?? '';
    const copy = join(directory, 'copy');
    await succeeded(as('demo').openstack('image', 'save', '--file', copy, id));
    await assertSameBytes(copy, file);

    const stranger = await as('alt').openstack('image', 'show', id);
    assert.notEqual(stranger.code, 0);
    assert.match(stranger.all, /No Image found|could not be found/i);
    assert.doesNotMatch(await succeeded(as('alt').openstack('image', 'list')), /mine/);
    assert.match(await succeeded(as('viewer', 'demo').openstack('image', 'list')), /mine/);
    const reader = await as('viewer', 'demo').openstack('image', 'set', '--name', 'theirs', id);
    assert.match(reader.all, /403|Forbidden|not authorized/i);
    await succeeded(as('admin').openstack('image', 'delete', id));
  });

  test('a token that is missing or wrong is sent to Keystone', async () => {
    for (const token of ['', 'nonsense']) {
      const answer = await show('00000000-0000-4000-8000-000000000000', token);
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Keystone uri="http/);
    }
  });

  test('a token of the whole system is refused: images are of projects', async () => {
    const token = await keystone.token('admin', { system: true });
    const answer = await fetch(`${daguerre.url}/v2/images`, { headers: { 'X-Auth-Token': token } });
    assert.equal(answer.status, 403);
  });

  test('a Keystone that is away is 503, and its return needs no restart', async () => {
    const list = async (token: string) =>
      (await fetch(`${daguerre.url}/v2/images`, { headers: { 'X-Auth-Token': token } })).status;
    const token = await keystone.token('demo');
    await keystone.kill();
    assert.equal(await list(token), 503);
    await keystone.restart();
    await until('Keystone to be believed again', async () => (await list(token)) === 200);
  });
});
