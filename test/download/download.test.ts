import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { bandwidth } from '../../infra/download/pace.ts';
import { hostSlots } from '../../infra/download/slots.ts';
import { keptConnections } from '../../infra/net/connections.ts';
import { downloads, expecting, guardFor, hexOf } from '../support/downloads.ts';
import { startHostileServer } from '../support/hostile-server.ts';

const server = await startHostileServer();
const { fetch, resuming, close } = downloads(server.port);
after(async () => {
  await server.stop();
  await close();
});

const bytes = randomBytes(1_000_000);
const etag = '"v1"';
const newKey = () => ({ imageId: randomUUID(), uploadId: randomUUID() });
const since = (count: number): readonly string[] =>
  server.requests.slice(count).map((request) => request.replace(/^\S+ ?/, ''));

describe('a download', () => {
  test('of a small file is one request', async () => {
    const url = server.serve({ bytes: bytes.subarray(0, 1000), etag });
    const before = server.requests.length;
    const done = await fetch(url);
    assert.ok(done.bytes.equals(bytes.subarray(0, 1000)));
    assert.deepEqual(since(before), ['bytes=0-65535']);
    assert.equal(done.etag, etag);
    assert.equal(done.finalUrl, url);
  });

  test('of a large file comes in parts side by side, each byte once', async () => {
    const url = server.serve({ bytes, etag, drip: { bytes: 16_000, everyMs: 2 } });
    const before = server.bytesServed();
    const done = await fetch(url, { parallel: 3 });
    assert.ok(done.bytes.equals(bytes));
    assert.equal(server.bytesServed() - before, bytes.length);
    assert.ok(server.mostAtOnce() > 1, 'nothing came side by side');
    assert.ok(server.mostAtOnce() <= 3);
  });

  test('that may have one connection is one request', async () => {
    const before = server.requests.length;
    await fetch(server.serve({ bytes, etag }), { parallel: 1 });
    assert.deepEqual(since(before), ['bytes=0-']);
  });

  for (const ranges of [true, false])
    test(`of an empty file works ${ranges ? 'with' : 'without'} ranges`, async () => {
      const done = await fetch(server.serve({ bytes: Buffer.alloc(0), etag, ranges }));
      assert.equal(done.size, 0);
    });

  test('takes a file whose end only the last chunk says', async () => {
    const url = server.answer((_, response) => {
      response.writeHead(200);
      response.write(bytes.subarray(0, 500_000));
      response.end(bytes.subarray(500_000));
    });
    assert.ok((await fetch(url)).bytes.equals(bytes));
  });

  test('takes no file that is chunked within HTTP, for it could be cut anywhere', async () => {
    const url = server.answer((_, response) => {
      response.writeHead(200);
      response.write(bytes.subarray(0, 500_000), () => response.socket?.destroySoon());
    });
    await assert.rejects(fetch(url, { patienceMs: 300 }), { reason: 'source-unavailable' });
  });

  test('finds that it was done before, and asks for nothing', async () => {
    const key = newKey();
    const url = server.serve({ bytes, etag });
    const first = await resuming(key, url, {
      expected: expecting({ digests: { sha1: hexOf(bytes, 'sha1') } }),
    });
    const before = server.requests.length;
    assert.deepEqual(await resuming(key, url), first);
    assert.equal(server.requests.length, before);
    assert.deepEqual(first.digests, { sha1: hexOf(bytes, 'sha1') });
  });

  test('that was called off goes on where it was', async () => {
    const key = newKey();
    const url = server.serve({ bytes, etag, drip: { bytes: 20_000, everyMs: 15 } });
    const stop = new AbortController();
    const stopping = resuming(key, url, {
      signal: stop.signal,
      parallel: 1,
      tell: ({ bytes: there }) => there > 300_000 && stop.abort(new Error('enough')),
    });
    await assert.rejects(stopping, { message: 'enough' });
    const before = server.bytesServed();
    const requested = server.requests.length;
    const done = await resuming(key, url, { parallel: 1 });
    assert.ok(done.bytes.equals(bytes));
    assert.ok(server.bytesServed() - before < 700_001, `${server.bytesServed() - before}`);
    assert.doesNotMatch(since(requested).join(), /bytes=0-/);
  });

  test('begins again for another URL', async () => {
    const key = newKey();
    const other = randomBytes(200_000);
    const urls = [bytes, other].map((content) =>
      server.serve({
        bytes: content,
        etag,
        breakAfter: () => (content === bytes ? 9000 : undefined),
      }),
    );
    await assert.rejects(resuming(key, urls[0] ?? '', { patienceMs: 0 }));
    assert.ok((await resuming(key, urls[1] ?? '')).bytes.equals(other));
  });

  test('tells how far it is', async () => {
    const told: (readonly [string, number, number | null])[] = [];
    await fetch(server.serve({ bytes, etag }), {
      tell: (one) => told.push([one.phase, one.bytes, one.total]),
    });
    assert.deepEqual(told[0], ['waiting', 0, null]);
    assert.deepEqual([told[1]?.[0], told[1]?.[2]], ['fetching', bytes.length]);
    assert.deepEqual(told.at(-1), ['verifying', bytes.length, bytes.length]);
  });

  test('keeps within a budget of bytes per second', async () => {
    const pace = bandwidth(4_000_000);
    const begun = performance.now();
    await fetch(server.serve({ bytes: Buffer.concat([bytes, bytes]), etag }), { pace });
    await fetch(server.serve({ bytes: Buffer.concat([bytes, bytes]), etag }), { pace });
    const ms = performance.now() - begun;
    assert.ok(ms > 700, `4 MB at 4 MB/s came in ${ms} ms`);
  });

  test('has no more connections to a host than there may be', async () => {
    const crowded = await startHostileServer();
    const file = { bytes, etag, drip: { bytes: 20_000, everyMs: 1 } };
    const slots = hostSlots(2);
    const all = await Promise.all(
      Array.from({ length: 5 }, () =>
        fetch(crowded.serve(file), { slots, guard: guardFor(crowded.port) }),
      ),
    );
    assert.ok(all.every((done) => done.bytes.equals(bytes)));
    assert.equal(crowded.mostAtOnce(), 2);
    await crowded.stop();
  });

  test('keeps its connection for the next file of the host', async () => {
    const connections = keptConnections();
    const before = server.connections();
    for (let count = 0; count < 20; count++)
      await fetch(server.serve({ bytes: randomBytes(1000), etag }), { connections });
    assert.equal(server.connections() - before, 1);
    connections.close();
  });

  test('shows its own headers to its source and to no host that it leads on to', async () => {
    const elsewhere = await startHostileServer();
    const seen: (string | undefined)[] = [];
    const target = elsewhere.answer((request, response) => {
      seen.push(request.headers['x-auth-token'] as string | undefined);
      response.end('image');
    });
    const url = server.answer((request, response) => {
      seen.push(request.headers['x-auth-token'] as string | undefined);
      response.writeHead(302, { Location: target }).end();
    });
    const guard = guardFor(server.port, { allowedPorts: [server.port, elsewhere.port] });
    const done = await fetch(url, { guard }, { 'X-Auth-Token': 'secret' });
    assert.equal(done.bytes.toString(), 'image');
    assert.deepEqual(seen, ['secret', undefined]);
    await elsewhere.stop();
  });
});

describe('a checksum', () => {
  for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512'])
    test(`is verified with ${algorithm}`, async () => {
      const url = server.serve({ bytes, etag });
      const digests = { [algorithm]: hexOf(bytes, algorithm) };
      assert.deepEqual((await fetch(url, { expected: expecting({ digests }) })).digests, digests);
      const wrong = { [algorithm]: hexOf(Buffer.from('other'), algorithm) };
      await assert.rejects(fetch(url, { expected: expecting({ digests: wrong }) }), {
        reason: 'checksum-mismatch',
        message: new RegExp(`has the ${algorithm} ${hexOf(bytes, algorithm)}, but .* was expected`),
      });
    });

  test('is looked up in the file that the vendor has of them', async () => {
    const url = server.serve({ bytes, etag }, 'disk%20one.img');
    const sums = (text: string): string => server.serve({ bytes: Buffer.from(text) });
    const others = `${hexOf(Buffer.from('x'))}  other.img\n`;
    const good = sums(`${others}${hexOf(bytes)} *disk one.img\n`);
    const done = await fetch(url, { expected: expecting({ sums: good }) });
    assert.deepEqual(done.digests, { sha256: hexOf(bytes) });
    const bad = sums(`${hexOf(Buffer.from('x'))}  disk one.img\n`);
    await assert.rejects(fetch(url, { expected: expecting({ sums: bad }) }), {
      reason: 'checksum-mismatch',
    });
    await assert.rejects(fetch(url, { expected: expecting({ sums: sums(others) }) }), {
      reason: 'source-lied',
      message: /none for disk one\.img/,
    });
    const missing = `${server.url}/missing`;
    await assert.rejects(fetch(url, { expected: expecting({ sums: missing }) }), {
      reason: 'source-gone',
    });
    const endless = server.answer((_, response) => {
      const pump = (): void => {
        while (!response.destroyed && response.write(bytes));
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    });
    await assert.rejects(fetch(url, { expected: expecting({ sums: endless }) }), {
      reason: 'source-too-large',
    });
  });

  test('that contradicts the vendor is a definite error before a byte comes', async () => {
    const url = server.serve({ bytes, etag }, 'a.img');
    const sums = server.serve({ bytes: Buffer.from(`${hexOf(bytes)}  a.img`) });
    const before = server.bytesServed();
    const digests = { sha256: hexOf(Buffer.from('x')) };
    await assert.rejects(fetch(url, { expected: expecting({ sums, digests }) }), {
      reason: 'source-lied',
    });
    assert.ok(server.bytesServed() - before < 1000);
  });

  test('puts bytes of several answers together though the server names no version', async () => {
    const url = server.serve({ bytes });
    const before = server.bytesServed();
    const digests = { sha256: hexOf(bytes) };
    await fetch(url, { expected: expecting({ digests }) });
    assert.equal(server.bytesServed() - before, bytes.length);
  });

  test('gives a file that was put together wrongly a second try, in one piece', async () => {
    const other = randomBytes(bytes.length);
    let asked = 0;
    const file = { bytes: other, etag };
    const url = server.serve({
      ...file,
      get bytes() {
        asked += 1;
        return asked < 4 ? other : bytes;
      },
    });
    const digests = { sha256: hexOf(bytes) };
    const done = await fetch(url, { expected: expecting({ digests }) });
    assert.ok(done.bytes.equals(bytes));
    assert.equal(server.requests.at(-1), new URL(url).pathname);
  });
});
