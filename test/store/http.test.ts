import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { ObjectMissing, StoreUnavailable } from '../../domain/store.ts';
import {
  addressGuard,
  type ReachRules,
  type Resolve,
  UrlRefused,
} from '../../infra/net/address-guard.ts';
import { httpStore } from '../../infra/store/http.ts';
import { readContract } from '../contracts/store.ts';
import { type FileServer, serving, startFileServer } from '../support/file-server.ts';
import { until } from '../support/until.ts';

let server: FileServer;
before(async () => {
  server = await startFileServer();
});
after(() => server.stop());

const rules = (more: Partial<ReachRules> = {}): ReachRules => ({
  allowedHosts: [],
  disallowedHosts: [],
  allowedPorts: [server.port],
  disallowedPorts: [],
  allowedCidrs: ['127.0.0.1/32'],
  disallowedCidrs: [],
  ...more,
});
const patienceMs = 20_000;
const storeWith = (
  more: Partial<ReachRules> = {},
  { timeoutMs = patienceMs, resolve }: { timeoutMs?: number; resolve?: Resolve } = {},
) => httpStore(addressGuard(rules(more), resolve), timeoutMs);

let named = 0;
const newPath = (): string => {
  named += 1;
  return `/object-${named}`;
};
const put = (bytes: Uint8Array): string => server.put(newPath(), bytes);
async function whole(url: string, store = storeWith()): Promise<Buffer> {
  const object = await store.open(url);
  try {
    const into = Buffer.alloc(object.size);
    assert.equal(await object.read(into, 0), object.size);
    return into;
  } finally {
    await object.close();
  }
}

readContract('a store over HTTP', async () => ({
  reader: storeWith(),
  put: async (bytes) => put(bytes),
  missing: () => `${server.url}/nothing-here`,
}));

describe('a store over HTTP', () => {
  const bytes = randomBytes(200_000);

  test('reads on in one response, and asks again for any other offset', async () => {
    const url = put(bytes);
    const path = url.slice(server.url.length);
    const object = await storeWith().open(url);
    const into = Buffer.alloc(10_000);
    for (const offset of [0, 10_000, 20_000, 150_000, 160_000, 5_000]) {
      assert.equal(await object.read(into, offset), 10_000);
      assert.ok(into.equals(bytes.subarray(offset, offset + 10_000)), String(offset));
    }
    await object.close();
    assert.deepEqual(
      server.requests.filter((request) => request.includes(`${path} `) || request.endsWith(path)),
      [
        `HEAD ${path}`,
        `GET ${path} bytes=0-`,
        `GET ${path} bytes=150000-`,
        `GET ${path} bytes=5000-`,
      ],
    );
  });

  for (const refusal of [400, 403, 405, 501])
    test(`asks for the first byte where HEAD is answered ${refusal}`, async () => {
      const url = server.answer(newPath(), (request, response) => {
        if (request.method === 'HEAD') response.writeHead(refusal).end();
        else serving(bytes)(request, response);
      });
      assert.ok((await whole(url)).equals(bytes));
    });

  test('reads from the beginning where the server knows no ranges', async () => {
    const url = server.answer(newPath(), (request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    });
    const object = await storeWith().open(url);
    const into = Buffer.alloc(1_000);
    for (const offset of [100_000, 50_000, 199_500]) {
      const count = await object.read(into, offset);
      assert.ok(into.subarray(0, count).equals(bytes.subarray(offset, offset + 1_000)));
    }
    await object.close();
  });

  test('follows redirects, each past the guard', async () => {
    const url = put(bytes);
    const relative = server.answer(newPath(), (_, response) => {
      response.writeHead(302, { Location: url.slice(server.url.length) }).end();
    });
    const absolute = server.answer(newPath(), (_, response) => {
      response.writeHead(307, { Location: relative }).end();
    });
    assert.ok((await whole(absolute)).equals(bytes));
  });

  test('does not follow redirects for ever', async () => {
    const path = newPath();
    const url = server.answer(path, (_, response) => {
      response.writeHead(302, { Location: path }).end();
    });
    await assert.rejects(storeWith().open(url), UrlRefused);
  });
});

describe('a hostile server', () => {
  const bytes = randomBytes(100_000);
  const answering = (headers: Record<string, string | number>, body: Uint8Array, status = 200) =>
    server.answer(newPath(), (request, response) => {
      response.writeHead(request.method === 'HEAD' ? 200 : status, headers);
      response.end(request.method === 'HEAD' ? undefined : body);
    });

  test('cannot lead to this machine or its metadata service by any spelling', async () => {
    const targets = [
      `http://127.0.0.2:${0}/`,
      'http://127.0.0.2:PORT/x',
      'http://169.254.169.254:PORT/latest/meta-data/',
      'http://2852039166:PORT/',
      'http://0xa9fea9fe:PORT/',
      'http://0251.0376.0251.0376:PORT/',
      'http://127.1:PORT/',
      'http://[::ffff:169.254.169.254]:PORT/',
      'http://[::ffff:7f00:1]:PORT/',
      'http://[::1]:PORT/',
      'http://metadata.example:PORT/',
      '//169.254.169.254:PORT/',
      'http://user@93.184.216.34:PORT/',
      'file:///etc/passwd',
      'gopher://127.0.0.1:PORT/',
      'http://127.0.0.1:1/',
    ];
    const resolve: Resolve = async () => ['169.254.169.254'];
    for (const target of targets) {
      const url = server.answer(newPath(), (_, response) => {
        response.writeHead(302, { Location: target.replace('PORT', String(server.port)) }).end();
      });
      await assert.rejects(storeWith({}, { resolve }).open(url), UrlRefused, target);
    }
  });

  test('cannot have a name checked at one address and asked at another', async () => {
    const url = put(bytes).replace('127.0.0.1', 'rebound.example');
    const answers = [['127.0.0.1'], ['10.0.0.1']];
    const resolve: Resolve = async () => answers.shift() ?? [];
    const store = storeWith({}, { resolve });
    // The name is in no DNS: what was asked is the address that passed. The next request is checked anew.
    const object = await store.open(url);
    assert.equal(object.size, bytes.length);
    await assert.rejects(object.read(Buffer.alloc(10), 0), UrlRefused);
    await object.close();
  });

  test('that sends less than it said is unavailable, not the end of the image', async () => {
    const url = server.answer(newPath(), (request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      if (request.method === 'HEAD') response.end();
      else response.write(bytes.subarray(0, 50_000), () => response.destroy());
    });
    await assert.rejects(whole(url), StoreUnavailable);
  });

  test('that drops its connection once is asked for the rest', async () => {
    let drops = 1;
    const url = server.answer(newPath(), (request, response) => {
      if (request.method === 'HEAD' || drops === 0) {
        serving(bytes)(request, response);
        return;
      }
      drops -= 1;
      response.writeHead(200, { 'Content-Length': bytes.length });
      response.write(bytes.subarray(0, 50_000), () => response.destroy());
    });
    const object = await storeWith().open(url);
    const into = Buffer.alloc(10_000);
    assert.equal(await object.read(into, 0), 10_000);
    await assert.rejects(object.read(Buffer.alloc(90_000), 10_000), StoreUnavailable);
    assert.equal(await object.read(into, 10_000), 10_000);
    assert.ok(into.equals(bytes.subarray(10_000, 20_000)));
    await object.close();
  });

  const lies: Readonly<Record<string, () => string>> = {
    'gives another range than was asked': () =>
      server.answer(newPath(), (request, response) => {
        if (request.method === 'HEAD') return void serving(bytes)(request, response);
        const headers = { 'Content-Range': `bytes 7-99999/${bytes.length}` };
        response.writeHead(206, headers).end(bytes.subarray(7));
      }),
    'has other bytes by now': () =>
      server.answer(newPath(), (request, response) => {
        const now = request.method === 'HEAD' ? bytes : Buffer.concat([bytes, bytes]);
        serving(now)(request, response);
      }),
    'encodes what it gives': () =>
      answering({ 'Content-Length': bytes.length, 'Content-Encoding': 'gzip' }, bytes),
    'says nothing of a size': () =>
      server.answer(newPath(), (request, response) => {
        response.writeHead(200, { 'Transfer-Encoding': 'chunked' });
        response.end(request.method === 'HEAD' ? undefined : bytes);
      }),
    'says a size that is none': () =>
      answering({ 'X-Size': '-1', 'Content-Length': '0x10' }, bytes),
    'answers 500': () =>
      server.answer(newPath(), (_, response) => void response.writeHead(500).end()),
    'answers 204': () =>
      server.answer(newPath(), (_, response) => void response.writeHead(204).end()),
  };
  for (const [what, url] of Object.entries(lies))
    test(`that ${what} is unavailable`, () => assert.rejects(whole(url()), StoreUnavailable));

  test('that gives no end to what it serves is read no further than it said', async () => {
    let stopped = false;
    const url = server.answer(newPath(), (request, response) => {
      if (request.method === 'HEAD') return void serving(bytes)(request, response);
      response.writeHead(200);
      const pump = (): void => {
        while (!response.destroyed && response.write(bytes));
        if (!response.destroyed) response.once('drain', pump);
      };
      response.on('close', () => {
        stopped = true;
      });
      pump();
    });
    assert.ok((await whole(url)).equals(bytes));
    await until('the endless response to be closed', () => stopped);
  });

  test('that is silent is given up', async () => {
    const dumb = server.answer(newPath(), () => {});
    await assert.rejects(storeWith({}, { timeoutMs: 150 }).open(dumb), StoreUnavailable);
    const hesitant = server.answer(newPath(), (request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      if (request.method === 'HEAD') response.end();
      else response.write(bytes.subarray(0, 10));
    });
    await assert.rejects(whole(hesitant, storeWith({}, { timeoutMs: 150 })), StoreUnavailable);
  });

  test('that drips is given up', async () => {
    const url = server.answer(newPath(), (request, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length });
      if (request.method === 'HEAD') return void response.end();
      const dripping = setInterval(() => response.write(bytes.subarray(0, 1)), 20);
      response.on('close', () => clearInterval(dripping));
    });
    await assert.rejects(whole(url, storeWith({}, { timeoutMs: 200 })), StoreUnavailable);
  });

  test('that is gone is unavailable, what it has not is missing', async () => {
    const gone = await startFileServer();
    const url = gone.put('/x', bytes);
    await gone.stop();
    const store = storeWith({ allowedPorts: [gone.port, server.port] });
    await assert.rejects(store.open(url), StoreUnavailable);
    const removed = server.answer(newPath(), (_, response) => void response.writeHead(410).end());
    await assert.rejects(store.open(removed), ObjectMissing);
  });
});
