import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { IdentityUnavailable, TokenRefused } from '../../infra/identity/keystone/errors.ts';
import type { HttpOptions } from '../../infra/identity/keystone/http.ts';
import {
  identityKeystone,
  type KeystoneIdentityOptions,
} from '../../infra/identity/keystone/identity.ts';
import { type KeystoneAccount, keystoneSession } from '../../infra/identity/keystone/session.ts';
import { selfSigned } from '../support/keystone-certificate.ts';
import {
  type KeystoneStandIn,
  keystoneStandIn,
  type StandInOptions,
  send,
  servicePassword,
  tokenDocument,
} from '../support/keystone-stand-in.ts';
import { until } from '../support/until.ts';

const hourMs = 3_600_000;
const staleMs = 300_000;
const refusedMs = 5_000;
const publicUri = 'https://identity.example:5000';
const endings: (() => unknown)[] = [];

let clock: number;
let keystone: KeystoneStandIn;
let identity: ReturnType<typeof identityKeystone>;

/** The stand-in and an adapter that talks to it, both by the same clock. */
async function prepare({
  standIn = {},
  account = {},
  options = {},
  http = {},
  authUrlEnd = '',
}: {
  readonly standIn?: StandInOptions;
  readonly account?: Partial<KeystoneAccount>;
  readonly options?: Partial<KeystoneIdentityOptions>;
  readonly http?: Partial<HttpOptions>;
  readonly authUrlEnd?: string;
} = {}): Promise<void> {
  clock = Date.now();
  const now = () => clock;
  keystone = await keystoneStandIn({ now, ...standIn });
  const session = keystoneSession(
    {
      authUrl: `${keystone.authUrl}${authUrlEnd}`,
      username: 'daguerre',
      password: servicePassword,
      projectName: 'service',
      userDomainName: 'Default',
      projectDomainName: 'Default',
      ...account,
    },
    { timeoutMs: 60_000, maxConnections: 8, ...http },
    now,
  );
  identity = identityKeystone(
    session,
    {
      staleMs,
      refusedMs,
      maxTokens: 100,
      authenticateUri: publicUri,
      serviceTokenRoles: ['service'],
      ...options,
    },
    now,
  );
  endings.push(() => session.close(), keystone.away);
  keystone.tokens.set('good', {});
}

const identify = (token: string, serviceToken?: string) =>
  identity.identify({
    'x-auth-token': token,
    ...(serviceToken !== undefined && { 'x-service-token': serviceToken }),
  });
const refused = (token: string, serviceToken?: string) =>
  assert.rejects(identify(token, serviceToken), TokenRefused);

/** The reason that an operator reads. */
async function unavailable(token: string): Promise<string> {
  const error: unknown = await identify(token).then(
    () => assert.fail('it was identified'),
    (reason) => reason,
  );
  assert(error instanceof IdentityUnavailable, inspect(error));
  assert.equal(error.message, 'The Keystone service is temporarily unavailable.');
  assert(error.cause instanceof Error);
  return error.cause.message;
}

beforeEach(() => prepare());

after(async () => {
  for (const end of endings.reverse()) await end();
});

describe('a caller with a Keystone token', () => {
  test('is the user, project and roles of the token, role names in lower case', async () => {
    keystone.tokens.set('mixed', { roles: ['Member', 'READER'] });
    assert.deepEqual(await identify('mixed'), {
      caller: {
        userId: 'demo-id',
        projectId: 'demo-project-id',
        roles: ['member', 'reader'],
        scope: 'project',
        domainId: null,
        systemScope: null,
        userDomainId: 'default',
        projectDomainId: 'default',
        serviceRoles: [],
      },
      userName: 'demo',
    });
  });

  const scopes = {
    domain: { project: undefined, domain: { id: 'default', name: 'Default' } },
    system: { project: undefined, system: { all: true } },
    unscoped: { project: undefined, roles: undefined },
  };
  for (const [scope, more] of Object.entries(scopes))
    test(`has no project when the token's scope is ${scope}`, async () => {
      keystone.tokens.set('scoped', { roles: ['admin'], more });
      const { caller } = await identify('scoped');
      assert.equal(caller.scope, scope);
      assert.equal(caller.projectId, null);
      assert.deepEqual(caller.roles, scope === 'unscoped' ? [] : ['admin']);
    });

  test('may have spaces around the token', async () => {
    await identify(' good ');
    assert.deepEqual(keystone.asked, ['good']);
  });

  const impossible = {
    'no token': undefined,
    'an empty token': '',
    'two tokens': 'good, good',
    'a token of other than ASCII': 'g\u00f6\u00f6d',
    'a token longer than Keystone makes them': 'g'.repeat(8193),
  };
  for (const [what, token] of Object.entries(impossible))
    test(`is refused with ${what} without asking Keystone`, async () => {
      const headers = token === undefined ? {} : { 'x-auth-token': token };
      await assert.rejects(identity.identify(headers), TokenRefused);
      assert.equal(keystone.asked.length + keystone.logins(), 0);
    });

  test('is told at a refusal where to get a token', async () => {
    const error = await identify('made-up').catch((reason: unknown) => reason);
    assert(error instanceof TokenRefused);
    assert.equal(error.challenge, `Keystone uri="${publicUri}"`);
    assert.equal(error.message, 'The request you have made requires authentication.');
  });
});

describe('what Keystone said', () => {
  test('is believed for the configured time, and not a moment longer', async () => {
    await identify('good');
    keystone.tokens.delete('good');
    clock += staleMs - 1;
    await identify('good');
    assert.equal(keystone.asked.length, 1);
    clock += 1;
    await refused('good');
    assert.equal(keystone.asked.length, 2);
  });

  test('is counted from before it was asked, however long its answer takes', async () => {
    keystone.answerValidations((_request, response) => {
      clock += 100_000;
      send(response, 200, tokenDocument(clock + hourMs));
    });
    await identify('good');
    clock += staleMs - 100_000;
    await identify('good');
    assert.equal(keystone.asked.length, 2);
  });

  test('is never believed past the end of the token', async () => {
    keystone.tokens.set('short', { expiresAt: clock + 10_000 });
    await identify('short');
    clock += 9_999;
    await identify('short');
    clock += 1;
    await refused('short');
  });

  test('is not believed of a token that has ended by the clock here', async () => {
    keystone.answerValidations((_request, response) => send(response, 200, tokenDocument(clock)));
    await refused('good');
  });

  test('is asked once for all who ask at the same moment', async () => {
    const held: (() => void)[] = [];
    keystone.answerValidations((_request, response) => {
      held.push(() => send(response, 200, tokenDocument(clock + hourMs)));
    });
    const all = Array.from({ length: 50 }, () => identify('good'));
    await until('Keystone to be asked', () => held.length > 0);
    for (const answer of held) answer();
    await Promise.all(all);
    assert.deepEqual(keystone.asked, ['good']);
    assert.equal(keystone.logins(), 1);
  });

  test('needs one login, however many tokens are asked about at once', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `token-${index}`);
    for (const name of names) keystone.tokens.set(name, {});
    await Promise.all(names.map((name) => identify(name)));
    assert.equal(keystone.logins(), 1);
    assert(keystone.connections() <= 8, `${keystone.connections()} connections`);
  });

  test('of a wrong token is believed for seconds only', async () => {
    await refused('late');
    await refused('late');
    assert.equal(keystone.asked.length, 1);
    keystone.tokens.set('late', {});
    clock += refusedMs;
    await identify('late');
  });

  test('of many wrong tokens pushes no good one out', async () => {
    await identify('good');
    for (let index = 0; index < 150; index++) await refused(`made-up-${index}`);
    await identify('good');
    assert.equal(keystone.asked.filter((token) => token === 'good').length, 1);
  });

  test('is forgotten of the token that was not used for longest, beyond the bound', async () => {
    await prepare({ options: { maxTokens: 2 } });
    keystone.tokens.set('second', {}).set('third', {});
    for (const token of ['good', 'second', 'good', 'third']) await identify(token);
    keystone.asked.length = 0;
    for (const token of ['good', 'third', 'second']) await identify(token);
    assert.deepEqual(keystone.asked, ['second']);
  });
});

describe('while Keystone is not well', () => {
  const ills: Record<
    string,
    { readonly answer: Parameters<KeystoneStandIn['answerValidations']>[0]; readonly why: RegExp }
  > = {
    'answers 500': {
      answer: (_request, response) => send(response, 500, { error: {} }),
      why: /answered 500/,
    },
    'answers 503 without a body': {
      answer: (_request, response) => response.writeHead(503).end(),
      why: /answered 503/,
    },
    'answers what is not JSON': {
      answer: (_request, response) => response.writeHead(200).end('<html>good</html>'),
      why: /not JSON/,
    },
    'answers JSON of another form': {
      answer: (_request, response) => send(response, 200, { token: { user: 'demo' } }),
      why: /not of Keystone's form/,
    },
    'breaks off in the middle of its answer': {
      answer: (_request, response) => {
        response.writeHead(200, { 'Content-Length': 1000 });
        response.write('{"token":', () => response.destroy());
      },
      why: /GET http:\/\/127.0.0.1:\d+\/v3\/auth\/tokens: /,
    },
    'does not let the service user validate': {
      answer: (_request, response) => send(response, 403, {}),
      why: /give it the role service/,
    },
  };
  for (const [what, { answer, why }] of Object.entries(ills))
    test(`and ${what}, nobody is refused: the service is unavailable, until it is well`, async () => {
      keystone.answerValidations(answer);
      assert.match(await unavailable('good'), why);
      keystone.answerValidations(undefined);
      await identify('good');
    });

  test('and never answers, the wait has an end', async () => {
    await prepare({ http: { timeoutMs: 200 } });
    keystone.answerValidations(() => {});
    assert.match(await unavailable('good'), /no answer within 200 ms/);
    keystone.answerValidations((_request, response) => void response.write('{'));
    assert.match(await unavailable('good'), /no answer within 200 ms/);
    keystone.answerValidations(undefined);
    await identify('good');
  });

  test('and away, tokens it vouched for are good for the usual time, others wait for its return', async () => {
    await identify('good');
    keystone.tokens.set('other', {});
    await keystone.away();
    await identify('good');
    assert.match(await unavailable('other'), /ECONNREFUSED/);
    clock += staleMs;
    await unavailable('good');
    await keystone.listen();
    await identify('good');
    await identify('other');
  });

  test('and away from the beginning, its coming needs no restart here', async () => {
    await keystone.away();
    assert.match(await unavailable('good'), /ECONNREFUSED/);
    await keystone.listen();
    await identify('good');
  });

  test('and has dropped the kept connection, the request is made on a new one', async () => {
    await identify('good');
    keystone.tokens.set('other', {});
    let dropped = 0;
    keystone.answerValidations((request) => {
      dropped++;
      keystone.answerValidations(undefined);
      request.socket.destroy();
    });
    await identify('other');
    assert.equal(dropped, 1);
  });
});

test('a Keystone behind TLS is trusted by the authorities that are configured, and no other is', async () => {
  const identification = await selfSigned('127.0.0.1');
  const standIn = { identification };
  await prepare({ standIn, http: { authorities: identification.cert } });
  await identify('good');
  await prepare({ standIn });
  assert.match(await unavailable('good'), /self-signed certificate/);
});

describe("the service user's own token", () => {
  test('is got at the first request, and serves the following ones', async () => {
    assert.equal(keystone.logins(), 0);
    await identify('good');
    await refused('made-up');
    assert.equal(keystone.logins(), 1);
  });

  test('is renewed before it ends', async () => {
    keystone.tokens.set('other', {}).set('third', {});
    await identify('good');
    clock += hourMs - 60_001;
    await identify('other');
    assert.equal(keystone.logins(), 1);
    clock += 1;
    await identify('third');
    assert.equal(keystone.logins(), 2);
  });

  test('that lives for seconds only is used for most of them', async () => {
    await prepare({ standIn: { loginLifeMs: 10_000 } });
    keystone.tokens.set('other', {}).set('third', {});
    await identify('good');
    clock += 8_999;
    await identify('other');
    assert.equal(keystone.logins(), 1);
    clock += 1;
    await identify('third');
    assert.equal(keystone.logins(), 2);
  });

  test('is renewed, and the request made again, when Keystone no longer takes it', async () => {
    await identify('good');
    keystone.accepted.length = 0;
    keystone.tokens.set('other', {}).set('third', {});
    await Promise.all(['other', 'third', 'good'].map((token) => identify(token)));
    assert.equal(keystone.logins(), 2);
  });

  test('that is refused as soon as it is given ends in an answer, not in a loop', async () => {
    keystone.answerValidations((_request, response) => send(response, 401, {}));
    assert.match(await unavailable('good'), /refuses the token it gave/);
    assert.equal(keystone.logins(), 2);
  });

  test('is not asked for again and again with a wrong password, which could lock the account', async () => {
    await prepare({ account: { password: 'forgotten' } });
    assert.match(await unavailable('good'), /did not let the service user daguerre in: status 401/);
    await unavailable('good');
    await unavailable('made-up');
    assert.equal(keystone.logins(), 1);
    clock += 5_000;
    await unavailable('good');
    assert.equal(keystone.logins(), 2);
  });

  test('is asked for at once after Keystone failed', async () => {
    keystone.answerLogins((_request, response) => send(response, 502, {}));
    assert.match(await unavailable('good'), /status 502/);
    keystone.answerLogins((_request, response) => send(response, 201, { token: 'good' }));
    await unavailable('good');
    keystone.answerLogins(undefined);
    await identify('good');
  });

  test('is used at the endpoint of the configured interface and region', async () => {
    const elsewhere = await keystoneStandIn({ now: () => clock });
    endings.push(elsewhere.away);
    elsewhere.tokens.set('good', {});
    elsewhere.accepted.push('service-user-1');
    const endpoint = (region: string, side: string, url: string) => ({
      id: 'x',
      interface: side,
      region,
      region_id: region,
      url,
    });
    const catalog = [
      { type: 'image', endpoints: [endpoint('North', 'internal', 'http://127.0.0.1:1')] },
      {
        type: 'identity',
        endpoints: [
          endpoint('South', 'internal', 'http://127.0.0.1:1'),
          endpoint('North', 'public', 'http://127.0.0.1:1'),
          endpoint('North', 'internal', `${elsewhere.authUrl}/v3/`),
        ],
      },
    ];
    await prepare({
      standIn: { catalog },
      account: { interface: 'internal', region: 'North' },
    });
    await identify('good');
    assert.equal(keystone.asked.length, 0);
    assert.deepEqual(elsewhere.asked, ['good']);
  });

  test('is got at an address that names the version, too', async () => {
    await prepare({ authUrlEnd: '/v3/' });
    await identify('good');
  });
});

describe('a service that asks for somebody', () => {
  beforeEach(() => {
    keystone.tokens.set('service', { roles: ['Service'] });
  });

  test('adds its roles beside those of the caller', async () => {
    const { caller } = await identify('good', 'service');
    assert.deepEqual(caller.roles, ['member', 'reader']);
    assert.deepEqual(caller.serviceRoles, ['service']);
    assert.equal(caller.userId, 'demo-id');
  });

  test('is refused when its token is not valid, however good that of the caller', async () => {
    await refused('good', 'made-up');
  });

  test('is refused without the role of a service', async () => {
    keystone.tokens.set('plain', { roles: ['admin'] });
    await refused('good', 'plain');
  });

  test('cannot come without a caller', async () => {
    await refused('', 'service');
    assert.equal(keystone.asked.length, 0);
  });

  test('carries a token through that ended on the way, which alone stays refused', async () => {
    keystone.tokens.set('ended', { expiresAt: clock - 1000 });
    await identify('ended', 'service');
    await identify('ended', 'service');
    assert.deepEqual(keystone.queries, ['?nocatalog', '?nocatalog&allow_expired=1']);
    await refused('ended');
    await identify('ended', 'service');
    await refused('ended', 'made-up');
  });
});

describe('an application credential that is limited to some calls', () => {
  const show = { service: 'image', method: 'GET', path: '/v2/images/{image_id}' };
  beforeEach(() => {
    const application_credential = { id: 'x', access_rules: [show] };
    keystone.tokens
      .set('limited', { more: { application_credential } })
      .set('unlimited', { more: { application_credential: { id: 'x' } } })
      .set('service', { roles: ['service'] });
  });

  const from = (token: string, method?: string, path = '') =>
    identity.identify(
      { 'x-auth-token': token },
      method === undefined ? undefined : { method, path },
    );

  test('may make those and no others', async () => {
    await from('limited', 'GET', '/v2/images/1');
    await assert.rejects(from('limited', 'DELETE', '/v2/images/1'), TokenRefused);
    await assert.rejects(from('limited', 'GET', '/v2/images/1/file'), TokenRefused);
    await assert.rejects(from('limited'), TokenRefused);
    await from('unlimited', 'DELETE', '/v2/images/1');
  });

  test('may make any when a service makes it on the way', async () => {
    await identify('limited', 'service');
  });
});

test('no token and no password is in anything that is thrown', async () => {
  const thrown: unknown[] = [];
  const collect = (token: string, serviceToken?: string) =>
    identify(token, serviceToken).catch((error: unknown) => thrown.push(error));
  keystone.answerLogins((_request, response) => {
    response.setHeader('X-Subject-Token', 'secret-own');
    send(response, 201, { token: servicePassword });
  });
  await collect('secret-user');
  keystone.answerLogins((_request, response) => response.end(servicePassword));
  await collect('secret-user');
  keystone.answerLogins(undefined);
  keystone.answerValidations((_request, response) => response.end('"secret-user"'));
  await collect('secret-user');
  keystone.answerValidations((_request, response) =>
    send(response, 200, { token: { user: 'secret-user', roles: 'secret-user' } }),
  );
  await collect('secret-user');
  keystone.answerValidations((request) => request.socket.destroy());
  await collect('secret-user', 'secret-service');
  keystone.answerValidations(undefined);
  await collect('secret-user', 'secret-service');
  await keystone.away();
  await collect('secret-other');
  assert.equal(thrown.length, 7);
  const shown = inspect(thrown, { depth: 20, showHidden: true });
  for (const secret of ['secret-', 'service-user-', servicePassword])
    assert(!shown.includes(secret), `${secret} in ${shown}`);
});
