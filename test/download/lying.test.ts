import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
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
const etag = '"v1"';

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
