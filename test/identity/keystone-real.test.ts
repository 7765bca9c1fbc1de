import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { IdentityUnavailable, TokenRefused } from '../../infra/identity/keystone/errors.ts';
import { identityKeystone } from '../../infra/identity/keystone/identity.ts';
import { type KeystoneAccount, keystoneSession } from '../../infra/identity/keystone/session.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { password } from '../support/keystone-seed.ts';
import { until } from '../support/until.ts';

const staleMs = 300_000;
const refusedMs = 5_000;
/** Far beyond what a busy machine needs for an answer; one test has less patience. */
const timeoutMs = 60_000;

let keystone: Keystone;
/** How far ahead of the real time the adapter's clock is: what it remembers grows stale, Keystone's tokens do not. */
let aheadMs: number;
let identity: ReturnType<typeof connect>;
const closing: (() => void)[] = [];

function connect(change: Partial<KeystoneAccount> = {}, patienceMs = timeoutMs) {
  const now = () => Date.now() + aheadMs;
  const http = { timeoutMs: patienceMs, maxConnections: 8 };
  const session = keystoneSession({ ...keystone.account, ...change }, http, now);
  closing.push(session.close);
  const serviceTokenRoles = ['service'];
  const authenticateUri = keystone.authUrl;
  const options = { staleMs, refusedMs, maxTokens: 100, authenticateUri, serviceTokenRoles };
  return identityKeystone(session, options, now);
}

const identify = (token: string, serviceToken?: string, by = identity) =>
  by.identify({
    'x-auth-token': token,
    ...(serviceToken !== undefined && { 'x-service-token': serviceToken }),
  });
const refused = (token: string, serviceToken?: string) =>
  assert.rejects(identify(token, serviceToken), TokenRefused);
const succeeds = (identified: Promise<unknown>): Promise<boolean> =>
  identified.then(Boolean, () => false);
const unavailable = (why: RegExp, token: string, by = identity) =>
  assert.rejects(identify(token, undefined, by), (error) => {
    assert(error instanceof IdentityUnavailable, String(error));
    assert(error.cause instanceof Error);
    assert.match(error.cause.message, why);
    return true;
  });

before(async () => {
  keystone = await startKeystone();
});

beforeEach(() => {
  aheadMs = 0;
  identity = connect();
});

after(async () => {
  for (const close of closing) close();
  await keystone?.stop();
});

describe('a token of a real Keystone', () => {
  test('tells user, project and every role, those included that others imply', async () => {
    const { caller, userName } = await identify(await keystone.token('demo'));
    assert.equal(userName, 'demo');
    assert.equal(caller.userId, await keystone.api.idOf('user', 'demo'));
    assert.equal(caller.projectId, await keystone.api.idOf('project', 'demo'));
    assert.equal(caller.scope, 'project');
    assert.deepEqual([...caller.roles].sort(), ['member', 'reader']);
    const viewer = await identify(await keystone.token('viewer', 'demo'));
    assert.deepEqual(viewer.caller.roles, ['reader']);
    assert.equal(viewer.caller.projectId, caller.projectId);
    const admin = await identify(await keystone.token('admin'));
    for (const role of ['admin', 'member', 'reader']) assert(admin.caller.roles.includes(role));
  });

  test('tells the scope where that is no project', async () => {
    const domain = await identify(await keystone.token('admin', { domain: 'default' }));
    assert.equal(domain.caller.scope, 'domain');
    assert.equal(domain.caller.domainId, 'default');
    assert(domain.caller.roles.includes('admin'));
    const system = await identify(await keystone.token('admin', { system: true }));
    assert.equal(system.caller.scope, 'system');
    assert.equal(system.caller.projectId, null);
    assert(system.caller.roles.includes('admin'));
    const unscoped = await identify(await keystone.token('demo', { unscoped: true }));
    assert.equal(unscoped.caller.scope, 'unscoped');
    assert.deepEqual(unscoped.caller.roles, []);
  });

  test('is refused when it is made up or changed', async () => {
    await refused('made-up');
    const token = await keystone.token('demo');
    const middle = token.length / 2;
    const other = token.charAt(middle) === 'A' ? 'B' : 'A';
    await refused(token.slice(0, middle) + other + token.slice(middle + 1));
    await identify(token);
  });

  test('is refused after it was revoked, at the latest when the bound of staleness is over', async () => {
    const token = await keystone.token('demo');
    await identify(token);
    await keystone.revoke(token);
    await identify(token);
    aheadMs = staleMs;
    await refused(token);
    await assert.rejects(connect().identify({ 'x-auth-token': token }), TokenRefused);
  });

  test('has the roles that its user has now, within that bound, and ends with the last of them', async () => {
    const token = await keystone.token('alt');
    const place = { project: 'alt' };
    assert(!(await identify(token)).caller.roles.includes('service'));
    await keystone.api.grant('service', 'alt', place);
    aheadMs += staleMs;
    assert((await identify(token)).caller.roles.includes('service'));
    await keystone.api.ungrant('service', 'alt', place);
    await keystone.api.ungrant('member', 'alt', place);
    aheadMs += staleMs;
    await refused(token);
    await keystone.api.grant('member', 'alt', place);
    assert((await identify(await keystone.token('alt'))).caller.roles.includes('member'));
  });

  test('ends, within that bound, when its user is disabled', async () => {
    const token = await keystone.token('viewer', 'demo');
    const path = `/users/${await keystone.api.idOf('user', 'viewer')}`;
    await identify(token);
    await keystone.api.call('PATCH', path, { user: { enabled: false } });
    aheadMs += staleMs;
    await refused(token);
    await keystone.api.call('PATCH', path, { user: { enabled: true } });
    await until('a token from after the second of the disabling', async () =>
      succeeds(identify(await keystone.token('viewer', 'demo'))),
    );
  });

  test("of a service lends its roles to the caller's request, and only of a service", async () => {
    const demo = await keystone.token('demo');
    const nova = await keystone.token('nova', 'service');
    const { caller } = await identify(demo, nova);
    assert(caller.serviceRoles.includes('service'));
    assert(!caller.roles.includes('service'));
    await refused(demo, await keystone.token('alt'));
    await refused(demo, 'made-up');
  });

  test('got with an application credential is good for the calls that this names', async () => {
    const demo = await keystone.token('demo');
    const access_rules = [{ service: 'image', method: 'GET', path: '/v2/images/*' }];
    const made = await keystone.api.call(
      'POST',
      `/users/${await keystone.api.idOf('user', 'demo')}/application_credentials`,
      { application_credential: { name: 'show only', secret: password, access_rules } },
      { 'X-Auth-Token': demo },
    );
    const { id } = made.application_credential as { id: string };
    const token = await keystone.api.login({
      identity: {
        methods: ['application_credential'],
        application_credential: { id, secret: password },
      },
    });
    const headers = { 'x-auth-token': token };
    const { caller } = await identity.identify(headers, { method: 'GET', path: '/v2/images/1' });
    assert.equal(caller.projectId, await keystone.api.idOf('project', 'demo'));
    const wish = { method: 'DELETE', path: '/v2/images/1' };
    await assert.rejects(identity.identify(headers, wish), TokenRefused);
  });
});

describe('the service user at a real Keystone', () => {
  test('may be sent to the endpoint of an interface and region of the catalog', async () => {
    await identify(
      await keystone.token('demo'),
      undefined,
      connect({ interface: 'internal', region: keystone.account.region }),
    );
  });

  test('with a wrong password makes the service unavailable, and refuses nobody', async () => {
    await unavailable(
      /did not let the service user daguerre in: status 401/,
      await keystone.token('demo'),
      connect({ password: 'forgotten' }),
    );
  });

  test('without the role service makes the service unavailable, and says what to do', async () => {
    await unavailable(
      /give it the role service/,
      await keystone.token('demo'),
      connect({ username: 'alt', projectName: 'alt' }),
    );
  });

  test('logs in again when Keystone revokes its token', async () => {
    await identify(await keystone.token('demo'));
    const path = `/users/${await keystone.api.idOf('user', 'daguerre')}`;
    // Disabling a user revokes what was issued to it.
    await keystone.api.call('PATCH', path, { user: { enabled: false } });
    await unavailable(/did not let/, await keystone.token('alt'));
    await keystone.api.call('PATCH', path, { user: { enabled: true } });
    aheadMs += refusedMs;
    const alt = await keystone.token('alt');
    await until('a login after the second of the disabling', () => succeeds(identify(alt)));
  });
});

describe('a real Keystone that fails', () => {
  test('by being killed is missed for new tokens only, and until it is back', async () => {
    const known = await keystone.token('demo');
    const other = await keystone.token('alt');
    await identify(known);
    await keystone.kill();
    await identify(known);
    await unavailable(/ECONNREFUSED|ECONNRESET/, other);
    await keystone.restart();
    await identify(other);
  });

  test('by answering nothing keeps callers waiting for a bounded time, and until it is back', async () => {
    const hasty = connect({}, 5_000);
    const known = await keystone.token('demo');
    const other = await keystone.token('alt');
    await until('a hasty identification', () => succeeds(identify(known, undefined, hasty)));
    keystone.pause();
    await identify(known, undefined, hasty);
    await unavailable(/no answer within 5000 ms/, other, hasty);
    keystone.resume();
    await until('Keystone to be back', () => succeeds(identify(other, undefined, hasty)));
  });
});

test('a token is refused once it has ended, unless a service carries it; later ones are not', async () => {
  await keystone.kill();
  await keystone.restart({ tokenSeconds: 10 });
  const token = await keystone.token('demo');
  await identify(token);
  const shown = await keystone.api.call('GET', '/auth/tokens', undefined, {
    'X-Subject-Token': token,
  });
  const { expires_at } = shown.token as { expires_at: string };
  await until('the token to end', () => Date.now() > Date.parse(expires_at));
  await refused(token);
  // The service user's own token has ended as well.
  await identify(await keystone.token('demo'));
  const { caller } = await identify(token, await keystone.token('nova', 'service'));
  assert.equal(caller.projectId, await keystone.api.idOf('project', 'demo'));
  await refused(token);
});
