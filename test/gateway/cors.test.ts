import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { houseRulesFrom } from '../../apps/gateway/house-rules.ts';
import { ConfigError, configFrom } from '../../infra/config/config.ts';
import { type GatewayOptions, startGateway } from '../support/gateway.ts';

const page = 'https://horizon.example.com';
const allowing = (origins: string): GatewayOptions => ({
  change: (ports) => ({
    ...ports,
    ...houseRulesFrom(configFrom(['--cors-allowed-origins', origins], {})),
  }),
});

/** The headers that browsers decide by. */
const corsOf = (headers: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith('access-control-'))
      .map(([name, value]) => [name.slice('access-control-'.length), value]),
  );

const preflight = {
  Origin: page,
  'Access-Control-Request-Method': 'PATCH',
  'Access-Control-Request-Headers': 'x-auth-token, Content-Type',
};

describe('a page of an origin that is allowed', () => {
  test('is told so at its preflight, without a token and whatever the path', async (t) => {
    const gateway = await startGateway(t, allowing(`https://other.example.com, ${page}`));
    for (const path of ['/v2/images', '/v2/nothing', '/']) {
      const headers = { ...preflight, 'X-Auth-Token': '' };
      const answer = await gateway.ask(path, { method: 'OPTIONS', headers });
      assert.deepEqual([answer.status, answer.text], [200, '']);
      assert.equal(answer.headers.vary, 'Origin');
      assert.deepEqual(corsOf(answer.headers), {
        'allow-origin': page,
        'allow-credentials': 'true',
        'max-age': '3600',
        'allow-methods': 'PATCH',
        'allow-headers': 'x-auth-token,Content-Type',
      });
    }
  });

  test('may read every answer, errors and downloads among them', async (t) => {
    const gateway = await startGateway(t, allowing(page));
    const id = await gateway.createActive(Buffer.from('bytes'));
    const headers = { Origin: page };
    for (const [path, status] of [
      [`/v2/images/${id}`, 200],
      [`/v2/images/${id}/file`, 200],
      ['/v2/images?limit=x', 400],
      ['/v2/nothing', 404],
      ['/versions', 200],
    ] as const) {
      const answer = await gateway.ask(path, { headers });
      assert.equal(answer.status, status, path);
      assert.equal(answer.headers.vary, 'Origin');
      assert.deepEqual(
        corsOf(answer.headers),
        {
          'allow-origin': page,
          'allow-credentials': 'true',
          'expose-headers':
            'X-Image-Meta-Checksum,X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID',
        },
        path,
      );
    }
  });

  test('is told nothing at a preflight for what it may not send', async (t) => {
    const gateway = await startGateway(t, allowing(page));
    for (const change of [
      { 'Access-Control-Request-Method': 'TRACE' },
      { 'Access-Control-Request-Headers': 'X-Evil' },
      { 'Access-Control-Request-Method': '' },
    ]) {
      const headers = { ...preflight, ...change };
      const answer = await gateway.ask('/v2/images', { method: 'OPTIONS', headers });
      assert.deepEqual([answer.status, corsOf(answer.headers)], [200, {}]);
    }
  });
});

describe('a page of another origin', () => {
  test('is told nothing, where some are allowed and where none is', async (t) => {
    for (const options of [allowing(page), allowing('')]) {
      const gateway = await startGateway(t, options);
      for (const method of ['GET', 'OPTIONS'])
        for (const headers of [{ ...preflight, Origin: 'https://evil.example.com' }, {}]) {
          const answer = await gateway.ask('/v2/images', { method, headers });
          assert.deepEqual([answer.status, corsOf(answer.headers)], [200, {}]);
        }
    }
  });

  test('is allowed where all are', async (t) => {
    const gateway = await startGateway(t, allowing('*'));
    const { headers } = await gateway.ask('/v2/images', { headers: { Origin: page } });
    assert.equal(headers['access-control-allow-origin'], '*');
  });
});

test('an origin that is none is refused at start', () => {
  for (const given of ['horizon', 'https://a/', 'ftp://a', 'https://a b'])
    assert.throws(() => configFrom(['--cors-allowed-origins', given], {}), ConfigError, given);
});
