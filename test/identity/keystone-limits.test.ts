import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import { mebibyte } from '../../domain/quota/resources.ts';
import { type KeystoneSession, keystoneSession } from '../../infra/identity/keystone/session.ts';
import { keystoneLimits } from '../../infra/limits/keystone.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';

const region = 'RegionOne';
const unregistered = { images: 0, bytes: 0, staged: 0, uploads: 0 };

describe("a real Keystone's unified limits", () => {
  let keystone: Keystone;
  let session: KeystoneSession;
  let demo: string;
  let service: string;
  let clock = 0;
  before(async () => {
    keystone = await startKeystone();
    demo = await keystone.api.idOf('project', 'demo');
    service = await keystone.api.idOf('service', 'glance');
    session = sessionOf(true);
  });
  after(async () => {
    session.close();
    await keystone.stop();
  });

  const sessionOf = (wholeSystem: boolean): KeystoneSession =>
    keystoneSession(
      { ...keystone.account, wholeSystem },
      { timeoutMs: 20_000, maxConnections: 4 },
      Date.now,
    );
  const limitsFor = (options: { readonly cacheMs?: number; readonly staleMs?: number } = {}) =>
    keystoneLimits(session, { region, cacheMs: 0, staleMs: 60_000, ...options }, () => clock);
  const register = async (
    resource_name: string,
    default_limit: number,
    region_id: string | null,
  ) => {
    const limit = { service_id: service, resource_name, default_limit, region_id };
    const made = await keystone.api.call('POST', '/registered_limits', {
      registered_limits: [limit],
    });
    return (made.registered_limits as readonly { id: string }[])[0]?.id ?? '';
  };

  test('what is not registered is 0', async () => {
    assert.deepEqual(await limitsFor().limitsOf(demo), unregistered);
  });

  test('a registered limit counts, a limit of the project more, at the next question', async () => {
    const limits = limitsFor();
    const id = await register('image_count_total', 7, region);
    await register('image_size_total', 10, region);
    await register('image_stage_total', 3, null);
    await register('image_count_uploading', -1, region);
    assert.deepEqual(await limits.limitsOf(demo), {
      images: 7,
      bytes: 10 * mebibyte,
      staged: 3 * mebibyte,
    });
    await keystone.api.call('PATCH', `/registered_limits/${id}`, {
      registered_limit: { default_limit: 8 },
    });
    assert.equal((await limits.limitsOf(demo)).images, 8);
    await keystone.api.call('POST', '/limits', {
      limits: [
        {
          service_id: service,
          region_id: region,
          resource_name: 'image_count_total',
          resource_limit: 2,
          project_id: demo,
        },
      ],
    });
    assert.equal((await limits.limitsOf(demo)).images, 2);
    assert.equal((await limits.limitsOf(await keystone.api.idOf('project', 'alt'))).images, 8);
  });

  test('a session of the project alone does not see what other projects have', async () => {
    const narrow = sessionOf(false);
    const limits = keystoneLimits(narrow, { region, cacheMs: 0, staleMs: 0 });
    assert.equal(
      await limits.limitsOf(demo).then(
        ({ images }) => images,
        () => 'refused',
      ),
      'refused',
      'which is why the service asks with a role in the whole system',
    );
    narrow.close();
  });

  test('while Keystone is away the last answer counts for a while, then none', async () => {
    const limits = limitsFor({ staleMs: 10_000 });
    const known = await limits.limitsOf(demo);
    await keystone.kill();
    clock += 9_000;
    assert.deepEqual(await limits.limitsOf(demo), known);
    clock += 2_000;
    await assert.rejects(limits.limitsOf(demo), LimitsUnavailable);
    await keystone.restart();
    clock += 1_000;
    assert.deepEqual(await limits.limitsOf(demo), known);
  });
});

describe('asking for limits', () => {
  const answering = (gets: string[], gate: () => Promise<void>): KeystoneSession => ({
    async get(path) {
      gets.push(path.split('?')[0] ?? '');
      await gate();
      const body = { services: [{ id: 's' }], registered_limits: [], limits: [] };
      return { status: 200, headers: {}, text: JSON.stringify(body) };
    },
    close() {},
  });

  test('many at once need two rounds: who asks during one is answered by the next', async () => {
    const gets: string[] = [];
    const session = answering(gets, () => new Promise((resolve) => setTimeout(resolve, 5)));
    const limits = keystoneLimits(session, { region, cacheMs: 0, staleMs: 0 });
    const first = limits.limitsOf('red');
    const others = Array.from({ length: 20 }, () => limits.limitsOf('red'));
    await Promise.all([first, ...others]);
    assert.equal(gets.filter((path) => path === '/limits').length, 2);
    await limits.limitsOf('red');
    assert.equal(gets.filter((path) => path === '/limits').length, 3);
  });

  test('a believed answer needs none, until its time is over', async () => {
    const gets: string[] = [];
    let clock = 0;
    const session = answering(gets, async () => {});
    const limits = keystoneLimits(session, { region, cacheMs: 5_000, staleMs: 0 }, () => clock);
    await limits.limitsOf('red');
    clock = 4_999;
    await limits.limitsOf('red');
    assert.equal(gets.filter((path) => path === '/limits').length, 1);
    clock = 5_000;
    await limits.limitsOf('red');
    assert.equal(gets.filter((path) => path === '/limits').length, 2);
  });

  test('after a failure nobody waits for another one at once', async () => {
    const gets: string[] = [];
    const session = answering(gets, async () => {
      throw new Error('no answer');
    });
    const limits = keystoneLimits(session, { region, cacheMs: 0, staleMs: 0 }, () => 0);
    for (const project of ['red', 'blue', 'green'])
      await assert.rejects(limits.limitsOf(project), LimitsUnavailable);
    assert.equal(gets.length, 1);
  });
});
