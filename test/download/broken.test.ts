import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { downloads, expecting, hexOf } from '../support/downloads.ts';
import { startHostileServer } from '../support/hostile-server.ts';

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
        /127\.0\.0\.1 broke the connection, and nothing came for \d+ s: import the image again/,
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
