import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Resolve } from '../../infra/net/address-guard.ts';
import { keptConnections } from '../../infra/net/connections.ts';
import { downloads, expecting, guardFor, hexOf } from '../support/downloads.ts';
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
const other = randomBytes(600_000);
const etag = '"v1"';
const impatient = { patienceMs: 400 };
const long = { lastModified: new Date(Date.now() - 3_600_000) };

/** The same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('a server that drops its connections', () => {
  for (const seed of [1, 2, 3])
    for (const ranges of [true, false])
      test(`at random (seed ${seed}, ${ranges ? 'with' : 'without'} ranges) gives the file in the end`, async () => {
        const random = seeded(seed);
        const url = server.serve({
          bytes,
          etag,
          ranges,
          breakAfter: () => (random() < 0.7 ? Math.floor(random() * bytes.length) : undefined),
        });
        const before = server.bytesServed();
        assert.ok((await fetch(url)).bytes.equals(bytes));
        if (ranges) assert.equal(server.bytesServed() - before, bytes.length);
      });

  test('is asked for the rest by date where there is no ETag', async () => {
    let drops = 3;
    const breakAfter = () => (drops-- > 0 ? 50_000 : undefined);
    const before = server.bytesServed();
    const url = server.serve({ bytes, ...long, breakAfter });
    assert.ok((await fetch(url, { parallel: 1 })).bytes.equals(bytes));
    assert.equal(server.bytesServed() - before, bytes.length);
  });

  for (const [what, validators] of Object.entries({
    'a weak ETag': { etag: 'W/"v1"' },
    'a date later than the answer': { lastModified: new Date(Date.now() + 3_600_000) },
    nothing: {},
  }))
    test(`and names its version by ${what} is asked for all of it again`, async () => {
      let drops = 2;
      const breakAfter = () => (drops-- > 0 ? 50_000 : undefined);
      const requested = server.requests.length;
      const url = server.serve({ bytes, ...validators, breakAfter });
      assert.ok((await fetch(url, { parallel: 1 })).bytes.equals(bytes));
      const last = server.requests.at(-1) ?? '';
      assert.match(last, /bytes=0-$|img$/, server.requests.slice(requested).join());
    });

  test('at the same byte each time has a file that is shorter than it says', async () => {
    const url = server.serve({
      bytes,
      etag,
      ranges: false,
      lie: (headers) => ({ ...headers, 'Content-Length': bytes.length + 1000 }),
      breakAfter: () => bytes.length,
    });
    await assert.rejects(fetch(url), {
      reason: 'source-lied',
      message: /says that there are 601000 bytes, but gives no more than 600000/,
    });
  });

  test('before a byte comes is given up when patience ends', async () => {
    const url = server.answer((request) => request.socket.destroy());
    await assert.rejects(fetch(url, impatient), {
      reason: 'source-unavailable',
      message:
        /127\.0\.0\.1 broke the connection, and nothing came for 0 s: import the image again/,
    });
  });

  test('when there are more than two gives the file over two', async () => {
    const drip = { bytes: 16_000, everyMs: 1 };
    const url = server.serve({ bytes, etag, mostAtOnce: 2, drip });
    const before = server.bytesServed();
    assert.ok((await fetch(url, { parallel: 6 })).bytes.equals(bytes));
    assert.equal(server.bytesServed() - before, bytes.length);
  });
});

describe('a server whose file changes', () => {
  test('between two ranges gives the new one, all of it', async () => {
    const file = { bytes: bytes as Uint8Array, etag, breakAfter: () => breakOnce() };
    const breakOnce = (): number | undefined => {
      if (file.etag !== etag) return undefined;
      setImmediate(() => Object.assign(file, { bytes: other, etag: '"v2"' }));
      return 40_000;
    };
    const done = await fetch(server.serve(file), { parallel: 1 });
    assert.ok(done.bytes.equals(other));
    assert.equal(done.etag, '"v2"');
  });

  test('while parts of it come side by side gives one version', async () => {
    let asked = 0;
    const url = server.serve({
      get bytes() {
        return asked++ < 12 ? bytes : other;
      },
      get etag() {
        return asked < 12 ? etag : '"v2"';
      },
    });
    const done = await fetch(url);
    assert.ok(done.bytes.equals(bytes) || done.bytes.equals(other));
  });

  test('again and again is given up', async () => {
    let version = 0;
    const url = server.serve({
      bytes,
      get etag() {
        version += 1;
        return `"v${version}"`;
      },
      breakAfter: () => 1000,
    });
    await assert.rejects(fetch(url, { parallel: 1 }), {
      reason: 'source-changed',
      message: /became another 5 times .*: wait until it is complete/,
    });
  });

  test('under the same ETag is found out by the checksum', async () => {
    const file = { bytes: bytes as Uint8Array, etag, breakAfter: () => breakOnce() };
    const breakOnce = (): number | undefined => {
      if (file.bytes === other) return undefined;
      setImmediate(() => Object.assign(file, { bytes: other }));
      return 40_000;
    };
    const url = server.serve(file);
    const expected = expecting({ digests: { sha256: hexOf(bytes) } });
    await assert.rejects(fetch(url, { expected, parallel: 1 }), { reason: 'checksum-mismatch' });
    Object.assign(file, { bytes });
    const now = expecting({ digests: { sha256: hexOf(other) } });
    assert.ok((await fetch(url, { expected: now, parallel: 1 })).bytes.equals(other));
  });

  test('and becomes shorter is asked for anew', async () => {
    const short = bytes.subarray(0, 30_000);
    const file = { bytes: bytes as Uint8Array, etag, breakAfter: () => breakOnce() };
    const breakOnce = (): number | undefined => {
      if (file.bytes === short) return undefined;
      setImmediate(() => Object.assign(file, { bytes: short }));
      return 40_000;
    };
    assert.ok((await fetch(server.serve(file), { parallel: 1 })).bytes.equals(short));
  });
});

describe('a server that does not understand ranges', () => {
  const range = (value: string) => ({
    bytes,
    etag,
    lie: (headers: OutgoingHttpHeaders, request: IncomingMessage): OutgoingHttpHeaders =>
      request.headers.range === undefined ? headers : { ...headers, 'Content-Range': value },
  });
  const lies = {
    'gives another range': range(`bytes 7-65542/${bytes.length}`),
    'gives more than was asked for': range(`bytes 0-99999/${bytes.length}`),
    'gives a range of nothing': range('bytes 0-65535/*'),
    'speaks of no range': range('65536 bytes'),
    'calls it by another length': range(`bytes 0-100/${bytes.length}`),
    'ends before it begins': range(`bytes 0-65535/100`),
  };
  for (const [what, file] of Object.entries(lies))
    test(`and ${what} is asked without`, async () => {
      assert.ok((await fetch(server.serve(file))).bytes.equals(bytes));
      assert.doesNotMatch(server.requests.at(-1) ?? '', /bytes=/);
    });

  test('and gives several parts is asked without', async () => {
    const url = server.serve({
      bytes,
      instead: (request, response) => {
        if (request.headers.range === undefined) return false;
        response.writeHead(206, { 'Content-Type': 'multipart/byteranges; boundary=x' });
        response.end('--x\r\nContent-Range: bytes 0-1/2\r\n\r\nab\r\n--x--\r\n');
        return true;
      },
    });
    assert.ok((await fetch(url)).bytes.equals(bytes));
  });

  for (const refusal of [400, 416, 501])
    test(`and answers ${refusal} is asked without`, async () => {
      const url = server.serve({
        bytes,
        instead: (request, response) => {
          if (request.headers.range === undefined) return false;
          response.writeHead(refusal).end();
          return true;
        },
      });
      assert.ok((await fetch(url)).bytes.equals(bytes));
    });

  test('says another total each time and is given up', async () => {
    let total = bytes.length;
    const url = server.serve({
      bytes,
      etag,
      lie: (headers, request) => {
        total += 1;
        const [, span] = /=(.*)/.exec(request.headers.range ?? '') ?? [];
        return { ...headers, 'Content-Range': `bytes ${span}/${total}` };
      },
    });
    await assert.rejects(fetch(url), { reason: 'source-changed' });
  });
});

describe('a server that lies about the length', () => {
  test('and says less than it gives, gives what it said', async () => {
    const url = server.answer((request) => {
      request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      request.socket.write(bytes.subarray(0, 5000));
    });
    const done = await fetch(url);
    assert.ok(done.bytes.equals(bytes.subarray(0, 1000)));
    const expected = expecting({ size: 5000 });
    await assert.rejects(fetch(url, { expected }), {
      reason: 'checksum-mismatch',
      message: /gives 1000 bytes, but 5000 were expected/,
    });
  });

  test('and gives more than its range is not believed', async () => {
    const url = server.answer((request, response) => {
      const isRange = request.headers.range !== undefined;
      if (isRange) response.writeHead(206, { 'Content-Range': 'bytes 0-999/1000', ETag: etag });
      else response.writeHead(200);
      response.end(bytes.subarray(0, 5000));
    });
    await assert.rejects(fetch(url), { reason: 'source-lied', message: /more bytes than it says/ });
  });

  test('and says none, in the manner of HTTP/1.0, is believed with a checksum only', async () => {
    const url = server.answer((request) => {
      request.socket.write('HTTP/1.0 200 OK\r\n\r\n');
      request.socket.end(bytes.subarray(0, 5000));
    });
    await assert.rejects(fetch(url), {
      reason: 'source-refused',
      message: /does not say how long the file is.*give a checksum/,
    });
    const part = bytes.subarray(0, 5000);
    const digests = { md5: hexOf(part, 'md5') };
    assert.ok((await fetch(url, { expected: expecting({ digests }) })).bytes.equals(part));
    assert.ok((await fetch(url, { expected: expecting({ size: 5000 }) })).bytes.equals(part));
    const cut = expecting({ digests: { md5: hexOf(bytes, 'md5') } });
    await assert.rejects(fetch(url, { expected: cut }), { reason: 'checksum-mismatch' });
  });
});

describe('a file that is too large', () => {
  test('is refused before a byte of it comes where its length is told', async () => {
    const before = server.bytesServed();
    await assert.rejects(fetch(server.serve({ bytes, etag }), { limitBytes: 599_999 }), {
      reason: 'source-too-large',
      message: /more than the 599999 bytes that an image may have/,
    });
    assert.ok(server.bytesServed() - before <= 2 * 64 * 1024);
  });

  test('ends at once where it has no end', async () => {
    let stopped = false;
    const url = server.answer((_, response) => {
      const pump = (): void => {
        while (!response.destroyed && response.write(bytes));
        if (!response.destroyed) response.once('drain', pump);
      };
      response.on('close', () => {
        stopped = true;
      });
      pump();
    });
    await assert.rejects(fetch(url, { limitBytes: 3_000_000 }), { reason: 'source-too-large' });
    assert.ok(stopped || (await new Promise((resolve) => setTimeout(() => resolve(stopped), 500))));
  });

  test('ends as the quota says', async () => {
    const full = new Error('over quota');
    const admit = async (size: number): Promise<void> => {
      if (size > 100_000) throw full;
    };
    await assert.rejects(fetch(server.serve({ bytes, etag }), { admit }), full);
    const url = server.answer((_, response) => {
      response.write(bytes);
      response.end();
    });
    await assert.rejects(fetch(url, { admit }), full);
  });
});

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
