import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Resolve } from '../../infra/net/address-guard.ts';
import { keptConnections } from '../../infra/net/connections.ts';
import { downloads, guardFor } from '../support/downloads.ts';
import { startHostileServer } from '../support/hostile-server.ts';
import { selfSigned } from '../support/keystone-certificate.ts';
import { freePort } from '../support/own-server.ts';

const server = await startHostileServer();
const { fetch, close } = downloads(server.port);
after(async () => {
  await server.stop();
  await close();
});

const bytes = randomBytes(600_000);
const etag = '"v1"';
const impatient = { patienceMs: 400 };

describe('a server that is slow', () => {
  const stall = { stallMs: 200, patienceMs: 700 };
  test('to answer at all is given up', async () => {
    const begun = performance.now();
    await assert.rejects(
      fetch(
        server.answer(() => {}),
        stall,
      ),
      {
        reason: 'source-unavailable',
        message: /no answer in time/,
      },
    );
    assert.ok(performance.now() - begun < 20_000);
  });

  test('in the middle of its answer is asked again', async () => {
    let stalls = 2;
    const url = server.serve({
      bytes,
      etag,
      instead: (_, response) => {
        if (stalls-- <= 0) return false;
        response.writeHead(200, { 'Content-Length': bytes.length, ETag: etag });
        response.write(bytes.subarray(0, 100_000));
        return true;
      },
    });
    assert.ok((await fetch(url, { stallMs: 300 })).bytes.equals(bytes));
  });

  test('and lets one byte after the other drip is given up', async () => {
    const url = server.serve({ bytes, etag, drip: { bytes: 1, everyMs: 30 } });
    await assert.rejects(fetch(url, stall), {
      reason: 'source-unavailable',
      message: /sent less than 16384 bytes in 0\.2 s/,
    });
  });

  test('is not taken to be when it is us who are', async () => {
    const url = server.serve({ bytes: bytes.subarray(0, 200_000), etag });
    const slow = { take: () => new Promise<void>((resolve) => setTimeout(resolve, 150)) };
    const done = await fetch(url, { ...stall, pace: slow, parallel: 1 });
    assert.equal(done.size, 200_000);
  });
});

describe('a server that refuses', () => {
  const answering = (status: number, headers: Readonly<Record<string, string | number>> = {}) =>
    server.answer((_, response) => void response.writeHead(status, headers).end());

  for (const [status, reason] of [
    [404, 'source-gone'],
    [410, 'source-gone'],
    [401, 'source-refused'],
    [403, 'source-refused'],
    [451, 'source-refused'],
    [204, 'source-refused'],
    [304, 'source-refused'],
    [418, 'source-refused'],
  ] as const)
    test(`with ${status} is asked once`, async () => {
      const before = server.requests.length;
      await assert.rejects(fetch(answering(status)), {
        reason,
        message: new RegExp(`127.0.0.1 .*${status}.*: `),
      });
      assert.equal(server.requests.length - before, 1);
    });

  for (const status of [429, 500, 502, 503])
    test(`with ${status} for a while is asked again`, async () => {
      let refusals = 3;
      const url = server.serve({
        bytes,
        etag,
        instead: (_, response) => {
          if (refusals-- <= 0) return false;
          response.writeHead(status).end('not now');
          return true;
        },
      });
      assert.ok((await fetch(url)).bytes.equals(bytes));
    });

  test('is left alone for as long as it asks to be', async () => {
    const asked: number[] = [];
    const url = server.serve({
      bytes,
      etag,
      instead: (_, response) => {
        asked.push(performance.now());
        if (asked.length > 1) return false;
        response.writeHead(503, { 'Retry-After': '1' }).end();
        return true;
      },
    });
    await fetch(url);
    assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 990);
  });

  test('and asks to be left alone for longer than patience lasts is given up at once', async () => {
    for (const after of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
      const before = server.requests.length;
      await assert.rejects(fetch(answering(429, { 'Retry-After': after })), {
        reason: 'source-unavailable',
        message: /answers 429, and it asks to be left alone for (3600|3599) s/,
      });
      assert.equal(server.requests.length - before, 1);
    }
  });

  test('one connection more than it likes is left with fewer', async () => {
    let open = 0;
    const url = server.serve({
      bytes,
      etag,
      drip: { bytes: 16_000, everyMs: 1 },
      instead: (_, response) => {
        open += 1;
        response.on('close', () => {
          open -= 1;
        });
        if (open <= 1) return false;
        response.writeHead(503, { 'Retry-After': '3600' }).end();
        return true;
      },
    });
    assert.ok((await fetch(url, { parallel: 5 })).bytes.equals(bytes));
  });
});

describe('a server that compresses', () => {
  test('though it was asked not to is refused', async () => {
    const asked: unknown[] = [];
    const url = server.answer((request, response) => {
      asked.push(request.headers['accept-encoding']);
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(bytes));
    });
    await assert.rejects(fetch(url), {
      reason: 'source-refused',
      message: /compresses what it gives \(Content-Encoding: gzip\) though it was asked not to/,
    });
    assert.deepEqual(asked, ['identity']);
  });
});

describe('a server that leads elsewhere', () => {
  const port = server.port;
  const resolve: Resolve = async (host) =>
    host === 'metadata.example' ? ['169.254.169.254'] : ['10.0.0.1', '93.184.216.34'];
  const leading = (to: string): string =>
    server.answer((_, response) => void response.writeHead(302, { Location: to }).end());
  const targets = [
    `http://127.0.0.2:${port}/`,
    `http://localhost.example:${port}/`,
    `http://metadata.example:${port}/latest/meta-data/`,
    `http://169.254.169.254:${port}/latest/meta-data/`,
    `http://2852039166:${port}/`,
    `http://2130706433:${port}/`,
    `http://0xa9fea9fe:${port}/`,
    `http://0251.0376.0251.0376:${port}/`,
    `http://0177.0.0.1:${port}/`,
    `http://127.1:${port}/`,
    `http://[::ffff:169.254.169.254]:${port}/`,
    `http://[::ffff:a9fe:a9fe]:${port}/`,
    `http://[::1]:${port}/`,
    `//169.254.169.254:${port}/`,
    'http://127.0.0.1:1/',
    'file:///etc/passwd',
  ];
  for (const target of targets)
    test(`to ${target.replace(String(port), 'PORT')} is not followed`, async () => {
      const guard = guardFor(port, {}, resolve);
      await assert.rejects(fetch(leading(target), { guard }), {
        reason: 'source-refused',
        message: /^The URL is refused: /,
      });
    });

  test('round in circles is not followed for ever', async () => {
    const url: string = server.answer((request, response) => {
      response.writeHead(302, { Location: request.url ?? '' }).end();
    });
    await assert.rejects(fetch(url), { reason: 'source-refused', message: /leads on more than 5/ });
  });

  test('to the file is followed for each part anew, and its query told to nobody', async () => {
    const file = server.serve({ bytes, etag }, 'file.img?signature=secret');
    const requested = server.requests.length;
    const done = await fetch(leading(file));
    assert.ok(done.bytes.equals(bytes));
    assert.equal(done.finalUrl, file.replace('?signature=secret', ''));
    const asked = server.requests.slice(requested);
    assert.equal(asked.filter((one) => one.includes('signature')).length, asked.length / 2);
  });
});

describe('a server that cannot be spoken to', () => {
  test('since nobody knows its name is given up', async () => {
    const guard = guardFor(server.port, {}, async () => []);
    await assert.rejects(fetch(`http://nobody.example:${server.port}/`, { guard, ...impatient }), {
      reason: 'source-unavailable',
      message: /the host nobody\.example cannot be found \(is the URL right\?\)/,
    });
  });

  test('since nobody listens is given up', async () => {
    const port = await freePort();
    const guard = guardFor(port);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { guard, ...impatient }), {
      reason: 'source-unavailable',
      message: /127\.0\.0\.1 refuses the connection/,
    });
  });

  test('since it speaks another language is given up', async () => {
    const sockets = new Set<Socket>();
    const babbler = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.end('220 ready\r\n');
    });
    const port = await freePort();
    await new Promise<void>((resolve) => babbler.listen(port, '127.0.0.1', resolve));
    const guard = guardFor(port);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { guard, ...impatient }), {
      reason: 'source-unavailable',
      message: /does not answer in HTTP/,
    });
    await assert.rejects(fetch(`https://127.0.0.1:${port}/`, { guard, ...impatient }), {
      reason: 'source-refused',
      message: /does not speak TLS as it should/,
    });
    for (const socket of sockets) socket.destroy();
    babbler.close();
  });

  test('since its certificate is nobody knows whose is refused, and believed with its authority', async () => {
    const identity = await selfSigned('127.0.0.1');
    const stranger = await selfSigned('127.0.0.9');
    const [secure, wrong] = [
      await startHostileServer(identity),
      await startHostileServer(stranger),
    ];
    const guard = guardFor(secure.port, { allowedPorts: [secure.port, wrong.port] });
    const url = secure.serve({ bytes, etag });
    await assert.rejects(fetch(url, { guard }), {
      reason: 'source-refused',
      message: /^The certificate of 127\.0\.0\.1 is signed by itself: have it renewed/,
    });
    const connections = keptConnections({ ca: identity.cert + stranger.cert });
    assert.ok((await fetch(url, { guard, connections })).bytes.equals(bytes));
    await assert.rejects(fetch(wrong.serve({ bytes, etag }), { guard, connections }), {
      reason: 'source-refused',
      message: /^The certificate of 127\.0\.0\.1 is for another host/,
    });
    connections.close();
    await secure.stop();
    await wrong.stop();
  });
});
