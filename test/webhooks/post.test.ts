import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { addressGuard, type Resolve } from '../../infra/net/address-guard.ts';
import { type Poster, retryAfterFrom, webhookPoster } from '../../infra/webhooks/post.ts';
import { selfSigned } from '../support/keystone-certificate.ts';
import { until } from '../support/until.ts';
import { answers, type Receiver, receiver } from './receiver.ts';

const message = { headers: { 'webhook-id': 'x' }, body: '{}' };

function posterFor(
  port: number,
  {
    resolve = async () => ['127.0.0.1'],
    allowedCidrs = ['127.0.0.0/8'],
    allowHttp = true,
    ca,
  }: {
    resolve?: Resolve;
    allowedCidrs?: readonly string[];
    allowHttp?: boolean;
    ca?: string;
  } = {},
): Poster {
  const guard = addressGuard(
    {
      allowedHosts: [],
      disallowedHosts: [],
      allowedPorts: [port],
      disallowedPorts: [],
      allowedCidrs,
      disallowedCidrs: [],
    },
    resolve,
  );
  const poster = webhookPoster({
    guard,
    allowHttp,
    timeoutMs: 5_000,
    ...(ca === undefined ? {} : { ca }),
  });
  after(poster.close);
  return poster;
}

const named = ({ port }: Receiver): string => `http://hooks.example.org:${port}/hook`;

describe('posting to a webhook', () => {
  test('goes to the address that was let through for this connection, and asks DNS no second time', async () => {
    const hook = await receiver();
    let asked = 0;
    const poster = posterFor(hook.port, {
      resolve: async () => {
        asked += 1;
        return ['127.0.0.1'];
      },
    });
    assert.equal((await poster.post(named(hook), message)).status, 204);
    assert.equal(asked, 1);
    assert.equal(hook.requests[0]?.headers.host, `hooks.example.org:${hook.port}`);
  });

  test('goes nowhere when DNS has another answer by then than at the registration', async () => {
    const hook = await receiver();
    const addresses = [['93.184.216.34'], ['127.0.0.1']];
    const poster = posterFor(hook.port, {
      allowedCidrs: [],
      resolve: async () => addresses.shift() ?? [],
    });
    await poster.admit(named(hook));
    const { status, error } = await poster.post(named(hook), message);
    assert.equal(status, null);
    assert.match(error ?? '', /not on a public network/);
    assert.equal(hook.requests.length, 0);
  });

  for (const url of ['http://127.0.0.1', 'http://[::1]', 'http://localhost', 'http://0.0.0.0'])
    test(`does not go to ${url} unless that is allowed`, async () => {
      const hook = await receiver();
      const poster = posterFor(hook.port, { allowedCidrs: [] });
      const { status, error } = await poster.post(`${url}:${hook.port}/`, message);
      assert.equal(status, null);
      assert.match(error ?? '', /not on a public network/);
      assert.equal(hook.requests.length, 0);
    });

  test('goes by http only where that is allowed', async () => {
    const hook = await receiver();
    const poster = posterFor(hook.port, { allowHttp: false });
    assert.match((await poster.post(named(hook), message)).error ?? '', /only https/);
    await assert.rejects(poster.admit(named(hook)), /only https/);
    assert.equal(hook.requests.length, 0);
  });

  test('goes by https to who can prove its name, and to nobody else', async () => {
    const identity = await selfSigned('127.0.0.1');
    const bodies: string[] = [];
    const server = createServer(identity, (request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
      request.on('end', () => response.writeHead(204).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}/`;
    const known = posterFor(port, { allowHttp: false, ca: identity.cert });
    assert.equal((await known.post(url, message)).status, 204);
    const stranger = await posterFor(port, { allowHttp: false }).post(url, message);
    assert.deepEqual(
      [stranger.status, stranger.error],
      [null, 'the connection failed: DEPTH_ZERO_SELF_SIGNED_CERT'],
    );
    assert.deepEqual(bodies, ['{}']);
  });

  test('keeps connections, and notices none that was closed meanwhile', async () => {
    const hook = await receiver();
    const poster = posterFor(hook.port);
    assert.equal((await poster.post(hook.url, message)).status, 204);
    await hook.stop();
    await hook.start();
    assert.equal((await poster.post(hook.url, message)).status, 204);
  });

  test('says nothing of addresses where nobody listens', async () => {
    const hook = await receiver();
    await hook.stop();
    const { status, error } = await posterFor(hook.port).post(named(hook), message);
    assert.deepEqual([status, error], [null, 'the connection failed: ECONNREFUSED']);
    await hook.start();
  });

  test('hears when it is asked to wait', async () => {
    const hook = await receiver();
    hook.answerWith(answers(503, { 'retry-after': '7' }));
    const { status, retryAfterMs } = await posterFor(hook.port).post(hook.url, message);
    assert.deepEqual([status, retryAfterMs], [503, 7_000]);
    const now = Date.UTC(2026, 0, 1);
    assert.equal(retryAfterFrom('Thu, 01 Jan 2026 00:01:00 GMT', now), 60_000);
    assert.equal(retryAfterFrom('Wed, 31 Dec 2025 00:01:00 GMT', now), 0);
    for (const given of [undefined, 'soon', '-1'])
      assert.ok((retryAfterFrom(given, now) ?? 0) === 0);
  });

  test('gives up who never answers', async () => {
    const hook = await receiver();
    hook.answerWith(() => {});
    const guard = { examine: (text: string) => new URL(text), admit: async () => assert.fail() };
    const poster = webhookPoster({ guard, allowHttp: true, timeoutMs: 100 });
    const { status, error } = await poster.post(hook.url, message);
    assert.deepEqual([status, error], [null, 'no answer within 100 ms']);
    await until('it to have come', () => hook.requests.length === 1);
    poster.close();
  });
});
