import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AppendUnknown, LogUnavailable, RevisionConflict } from '../../domain/event-log.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { NotYetVisible } from '../../projections/images/images.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask, rawConnection } from '../support/http.ts';

describe('version discovery', () => {
  const ids = (document: Record<string, unknown>) =>
    (document.versions as { id: string }[]).map(({ id }) => id);

  test('lists what one store without a cache offers, at /versions with 200, at / with 300', async (t) => {
    const { url } = await startGateway(t);
    const explicit = await ask(url, '/versions');
    assert.equal(explicit.status, 200);
    assert.deepEqual(ids(explicit.json()), [
      'v2.15',
      'v2.9',
      'v2.17',
      'v2.7',
      'v2.6',
      'v2.5',
      'v2.4',
      'v2.3',
      'v2.2',
      'v2.1',
      'v2.0',
    ]);
    const versions = explicit.json().versions as { id: string; status: string; links: unknown }[];
    assert.deepEqual(
      versions.filter(({ status }) => status === 'CURRENT').map(({ id }) => id),
      ['v2.17'],
    );
    assert.deepEqual(versions[0], {
      id: 'v2.15',
      status: 'SUPPORTED',
      links: [{ rel: 'self', href: `${url}/v2/` }],
    });
    for (const path of ['/', '/v9/images', '/v1/images', '/v2.8/images', '/images']) {
      const choices = await ask(url, path);
      assert.equal(choices.status, 300, path);
      assert.deepEqual(choices.json(), explicit.json());
    }
  });

  test('links to the public endpoint where one is set, and never to a hostile Host', async (t) => {
    const publicEndpoint = 'https://images.example.org/glance/';
    const gateway = await startGateway(t, { change: (ports) => ({ ...ports, publicEndpoint }) });
    assert.match(
      (await ask(gateway.url, '/')).text,
      /"https:\/\/images.example.org\/glance\/v2\/"/,
    );
    const created = await gateway.send('POST', '/v2/images', {});
    assert.equal(
      created.headers.location,
      `https://images.example.org/glance/v2/images/${created.json().id}`,
    );
    const plain = await startGateway(t);
    const { text } = await ask(plain.url, '/', { headers: { Host: 'evil/"<script>' } });
    assert.ok(text.includes(`"${plain.url}/v2/"`), text);
  });

  test('takes every offered minor for v2, in the path or in Accept', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    for (const version of ['v2', 'v2.0', 'v2.7', 'v2.9', 'v2.15', 'v2.17']) {
      assert.equal((await gateway.ask(`/${version}/images/${id}`)).status, 200, version);
      const headers = { Accept: `application/vnd.openstack.images-${version}` };
      assert.equal((await gateway.ask(`/images/${id}`, { headers })).status, 200, version);
    }
    const headers = { Accept: 'application/vnd.openstack.images-v2.99' };
    assert.equal((await gateway.ask(`/images/${id}`, { headers })).status, 300);
  });

  test('answers 404 at /v2 itself', async (t) => {
    const gateway = await startGateway(t);
    for (const path of ['/v2', '/v2/', '/v2.9'])
      assert.equal((await gateway.ask(path)).status, 404, path);
  });
});

describe('methods and paths', () => {
  test('answer 405 with Allow where the path has other methods, HEAD among the refused', async (t) => {
    const gateway = await startGateway(t);
    const id = randomUUID();
    const refused: readonly (readonly [string, string, string])[] = [
      ['PUT', '/v2/images', 'POST, GET'],
      ['HEAD', '/v2/images', 'POST, GET'],
      ['PROPFIND', '/v2/images', 'POST, GET'],
      ['HEAD', `/v2/images/${id}`, 'GET, PATCH, DELETE'],
      ['POST', `/v2/images/${id}/file`, 'PUT, GET'],
      ['GET', `/v2/images/${id}/tags/x`, 'PUT, DELETE'],
      ['GET', `/v2/images/${id}/actions/deactivate`, 'POST'],
      ['DELETE', '/v2/schemas/image', 'GET'],
    ];
    for (const [method, path, allow] of refused) {
      const answer = await gateway.ask(path, { method });
      assert.deepEqual([answer.status, answer.headers.allow], [405, allow], `${method} ${path}`);
    }
  });

  test('answer 404 for an unknown path, 501 for a method that nothing has', async (t) => {
    const gateway = await startGateway(t);
    for (const path of ['/v2/nothing', '/v2/images/', '/v2/Images', `/v2/images/${randomUUID()}/x`])
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'])
        assert.equal((await gateway.ask(path, { method })).status, 404, `${method} ${path}`);
    assert.equal((await gateway.ask('/v2/nothing', { method: 'PROPFIND' })).status, 501);
  });

  test('refuse an URL that is not UTF-8 with 400, escaped or raw', async (t) => {
    const gateway = await startGateway(t);
    assert.equal((await gateway.ask('/v2/images/%ff')).status, 400);
    const { rest, socket } = await rawConnection(gateway.url);
    socket.write(Buffer.from('GET /v2/images/\xff HTTP/1.1\r\nHost: x\r\n\r\n', 'latin1'));
    assert.match(await rest, /^HTTP\/1\.1 400 /);
  });
});

describe('error bodies', () => {
  const bodyFor = async (gateway: TestGateway, accept: string | undefined) => {
    const { headers, text } = await gateway.ask('/v2/images/<x>', {
      headers: accept === undefined ? {} : { Accept: accept },
    });
    return { type: headers['content-type'], text };
  };

  for (const accept of [
    undefined,
    '*/*',
    'text/html',
    'application/json, */*',
    'application/json;q=0.5, text/html',
    'text/*, application/json;q=0.9',
  ])
    test(`are HTML for Accept ${accept}`, async (t) => {
      const { text, type } = await bodyFor(await startGateway(t), accept);
      assert.equal(type, 'text/html; charset=UTF-8');
      assert.match(text, /<title>404 Not Found<\/title>/);
      assert.match(text, /<h1>404 Not Found<\/h1>/);
      assert.match(text, /No image found with ID &lt;x&gt;<br \/>/);
    });

  for (const accept of ['application/json', 'application/json, text/html;q=0.1'])
    test(`are JSON for Accept ${accept}`, async (t) => {
      const { text, type } = await bodyFor(await startGateway(t), accept);
      assert.equal(type, 'application/json; charset=UTF-8');
      assert.deepEqual(JSON.parse(text), {
        message: 'No image found with ID <x>',
        code: '404 Not Found',
        title: 'Not Found',
      });
    });

  for (const accept of ['', 'image/png', 'text/html;q=0, application/json;q=0'])
    test(`are plain text for Accept "${accept}"`, async (t) => {
      const { text, type } = await bodyFor(await startGateway(t), accept);
      assert.equal(type, 'text/plain; charset=UTF-8');
      assert.equal(text, '404 Not Found\n\nNo image found with ID <x>\n');
    });

  test('leave quotes as they are: clients show entities to their users', async (t) => {
    const gateway = await startGateway(t);
    const { text } = await gateway.ask(`/v2/images/'"&`);
    assert.match(text, /No image found with ID '"&amp;<br \/>/);
  });

  test('tell nothing of an unforeseen fault', async (t) => {
    const show = async () => Promise.reject(new Error('secret detail'));
    const gateway = await startGateway(t, {
      change: (ports) => ({ ...ports, images: { ...ports.images, show } }),
    });
    const answer = await gateway.ask(`/v2/images/${randomUUID()}`);
    assert.equal(answer.status, 500);
    assert.equal(answer.text.includes('secret'), false);
  });

  test('of faults are logged under the id of their request, those of clients are not', async (t) => {
    const lines: Record<string, unknown>[] = [];
    const error = (line: Record<string, unknown>) => lines.push(line);
    const show = async () => Promise.reject(new Error('fault'));
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        images: { ...ports.images, show },
        logger: Object.assign(logger('gateway', 'silent'), { error }),
      }),
    });
    const headers = { 'X-OpenStack-Request-ID': 'req-mine' };
    await gateway.ask('/v2/nothing', { method: 'PROPFIND', headers });
    await gateway.ask(`/v2/images/${randomUUID()}`, { headers });
    assert.deepEqual(
      lines.map(({ requestId }) => requestId),
      ['req-mine'],
    );
  });
});

describe('request ids', () => {
  test('are made where the client sends none, else adopted with the prefix', async (t) => {
    const gateway = await startGateway(t);
    const idFor = async (sent?: string) =>
      (
        await gateway.ask('/v2/images', {
          headers: sent === undefined ? {} : { 'X-OpenStack-Request-ID': sent },
        })
      ).headers['x-openstack-request-id'];
    assert.match(String(await idFor()), /^req-[0-9a-f-]{36}$/);
    assert.equal(await idFor('req-mine'), 'req-mine');
    assert.equal(await idFor('mine'), 'req-mine');
    for (const unfit of ['req-\xe4', 'tab\there'])
      assert.match(String(await idFor(unfit)), /^req-[0-9a-f-]{36}$/);
  });

  test('are on errors too, and enter the event', async (t) => {
    const gateway = await startGateway(t);
    const headers = { 'X-OpenStack-Request-ID': 'req-mine' };
    const missing = await gateway.ask(`/v2/images/${randomUUID()}`, { headers });
    assert.equal(missing.headers['x-openstack-request-id'], 'req-mine');
    const created = await gateway.ask('/v2/images', { method: 'POST', body: '{}', headers });
    const { events } = await gateway.ports.log.readStream(`image-${created.json().id}`);
    assert.equal(events[0]?.metadata.requestId, 'req-mine');
    assert.equal(events[0]?.metadata.globalRequestId, 'req-mine');
  });

  test('are refused with 431 above 64 characters', async (t) => {
    const gateway = await startGateway(t);
    const status = async (length: number) =>
      (
        await gateway.ask('/v2/images', {
          headers: { 'X-OpenStack-Request-ID': 'x'.repeat(length) },
        })
      ).status;
    assert.deepEqual([await status(64), await status(65)], [200, 431]);
  });
});

describe('request bodies', () => {
  const bodies: readonly (readonly [string, number, string | Uint8Array | undefined])[] = [
    ['no body', 400, undefined],
    ['an empty body', 400, ''],
    ['malformed JSON', 400, '{"name": '],
    ['NaN', 400, '{"name": NaN}'],
    ['a JSON number', 400, '5'],
    ['JSON null', 400, 'null'],
    ['bytes that are not UTF-8', 400, Buffer.from([0x7b, 0xff, 0x7d])],
    ['deeply nested JSON', 400, `{"name":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
    ['more than a mebibyte', 413, JSON.stringify({ name: 'x'.repeat(1024 * 1024) })],
  ];
  for (const [what, status, body] of bodies)
    test(`of ${what} are refused with ${status}`, async (t) => {
      const gateway = await startGateway(t);
      const sent = body === undefined ? {} : { body };
      const answer = await gateway.ask('/v2/images', { method: 'POST', ...sent });
      assert.equal(answer.status, status, answer.text);
    });

  test('of more than a mebibyte are refused with 413 without a Content-Length too', async (t) => {
    const gateway = await startGateway(t);
    const answer = await gateway.ask('/v2/images', {
      method: 'POST',
      headers: { 'Transfer-Encoding': 'chunked' },
      body: JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) }),
    });
    assert.equal(answer.status, 413);
  });

  test('are parsed as JSON whatever their Content-Type', async (t) => {
    const gateway = await startGateway(t);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const answer = await gateway.ask('/v2/images', { method: 'POST', headers, body: '{}' });
    assert.equal(answer.status, 201);
  });

  test('that end early leave nothing', async (t) => {
    const gateway = await startGateway(t);
    const { rest, socket } = await rawConnection(gateway.url);
    socket.end('POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"name": "x"}');
    assert.match(await rest, /^HTTP\/1\.1 400 /);
    assert.equal(await gateway.ports.log.head(), 0n);
  });
});

describe('a request that Node cannot read', () => {
  test('is answered 431 when its headers are huge, 501 for a method of nobody, 400 when it is no HTTP', async (t) => {
    const gateway = await startGateway(t);
    const head = `GET /v2/images HTTP/1.1\r\nHost: x\r\nX-Huge: ${'x'.repeat(64 * 1024)}\r\n\r\n`;
    for (const [text, answer] of [
      [head, /^HTTP\/1\.1 431 /],
      ['FOO /v2/nope HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 501 /],
      ['CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n', /^HTTP\/1\.1 501 /],
      ['NONSENSE\r\n\r\n', /^HTTP\/1\.1 400 /],
      ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', /^HTTP\/1\.1 400 /],
    ] as const) {
      const { rest, socket } = await rawConnection(gateway.url);
      socket.write(text);
      assert.match(await rest, answer);
    }
    assert.equal((await gateway.ask('/v2/images')).status, 200);
  });
});

describe('trouble behind the gateway', () => {
  test('answers 503 when the log is away, and nothing was appended', async (t) => {
    const away = () => Promise.reject(new LogUnavailable(undefined));
    for (const log of [{ readStream: away }, { append: away }]) {
      const gateway = await startGateway(t, {
        change: (ports) => ({ ...ports, log: { ...ports.log, ...log } }),
      });
      const id = randomUUID();
      assert.equal((await gateway.send('POST', '/v2/images', { id })).status, 503);
    }
  });

  const troubles: readonly (readonly [string, number, Error])[] = [
    ['a race that is lost for good', 409, new RevisionConflict('x', 0)],
    ['an append that may be recorded', 504, new AppendUnknown('x', undefined)],
  ];
  for (const [what, status, error] of troubles)
    test(`answers ${status} to ${what}`, async (t) => {
      // Raised where a request gives up: the log itself would be tried again until the deadline.
      const personal = { remember: () => Promise.reject(error) };
      const gateway = await startGateway(t, { change: (ports) => ({ ...ports, personal }) });
      assert.equal((await gateway.send('POST', '/v2/images', {})).status, status);
    });

  test('answers 504, never 503, once something is appended that cannot be seen', async (t) => {
    for (const error of [new NotYetVisible(1n), new Error('Connection terminated unexpectedly')]) {
      const visible = { waitFor: () => Promise.reject(error) };
      const gateway = await startGateway(t, { change: (ports) => ({ ...ports, visible }) });
      assert.equal((await gateway.send('POST', '/v2/images', {})).status, 504);
      assert.equal(await gateway.ports.log.head(), 1n);
    }
  });

  test('answers 503 when the read model cannot be reached', async (t) => {
    const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const show = () => Promise.reject(lost);
    const gateway = await startGateway(t, {
      change: (ports) => ({ ...ports, images: { ...ports.images, show } }),
    });
    assert.equal((await gateway.ask(`/v2/images/${randomUUID()}`)).status, 503);
  });

  test('answers 503 and appends nothing when the personal record cannot be written', async (t) => {
    const lost = Object.assign(new Error('the database is starting'), { code: '57P03' });
    const personal = { remember: () => Promise.reject(lost) };
    const gateway = await startGateway(t, { change: (ports) => ({ ...ports, personal }) });
    assert.equal((await gateway.send('POST', '/v2/images', {})).status, 503);
    assert.equal(await gateway.ports.log.head(), 0n);
  });
});

describe('what asks for no token', () => {
  test('GET /healthcheck answers 200 OK, 503 while the disable file exists', async (t) => {
    const gateway = await startGateway(t);
    const healthy = await ask(gateway.url, '/healthcheck');
    assert.deepEqual([healthy.status, healthy.text], [200, 'OK']);
    await writeFile(join(gateway.dataDir, 'healthcheck-disable'), '');
    assert.equal((await ask(gateway.url, '/healthcheck')).status, 503);
  });

  test('GET /healthcheck answers 503 when log or read model cannot be reached', async (t) => {
    const head = () => Promise.reject(new Error('away'));
    let away = false;
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        log: { ...ports.log, head: () => (away ? head() : ports.log.head()) },
      }),
    });
    assert.equal((await ask(gateway.url, '/healthcheck')).status, 200);
    away = true;
    assert.equal((await ask(gateway.url, '/healthcheck')).status, 503);
  });

  test('GET /metrics tells of requests by method, route and status, of bytes and of the log', async (t) => {
    const gateway = await startGateway(t);
    await gateway.createActive(Buffer.from('four'));
    const { text } = await ask(gateway.url, '/metrics');
    const post = { method: 'POST', route: '/v2/images', status: '201' };
    const put = { method: 'PUT', route: '/v2/images/:imageId/file', status: '204' };
    assert.equal(sample(text, 'daguerre_http_request_seconds_count', post), '1');
    assert.equal(sample(text, 'daguerre_http_request_seconds_count', put), '1');
    assert.equal(sample(text, 'daguerre_image_bytes_total', { direction: 'in' }), '4');
    assert.equal(sample(text, 'daguerre_uploads_in_flight', {}), '0');
    assert.equal(sample(text, 'daguerre_projection_lag', {}), '0');
    assert.match(sample(text, 'daguerre_event_log_head', {}) ?? '', /^[1-9]/);
  });
});

describe('GET /v2/schemas', () => {
  test('gives the image schema that clients tell base fields and properties by', async (t) => {
    const gateway = await startGateway(t);
    const schema = (await gateway.ask('/v2/schemas/image')).json();
    assert.equal(schema.name, 'image');
    assert.deepEqual(schema.additionalProperties, { type: 'string' });
    const properties = schema.properties as Record<string, Record<string, unknown>>;
    assert.equal(properties.os_distro?.is_base, false);
    assert.equal(properties.name && 'is_base' in properties.name, false);
    assert.equal(properties.status?.readOnly, true);
    assert.deepEqual(properties.name?.type, ['null', 'string']);
    assert.deepEqual((properties.disk_format?.enum as unknown[] | undefined)?.[0], null);
  });

  test('gives the collection schema, and 404 for another', async (t) => {
    const gateway = await startGateway(t);
    const schema = (await gateway.ask('/v2/schemas/images')).json();
    const item = (await gateway.ask('/v2/schemas/image')).json();
    const { images } = schema.properties as { images: { items: unknown } };
    assert.deepEqual(images.items, item);
    assert.equal((await gateway.ask('/v2/schemas/nothing')).status, 404);
  });
});

/** The value of the series that has these labels, in any order, beside that of its process. */
const sample = (text: string, name: string, labels: Readonly<Record<string, string>>) =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .find((line) =>
      Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)),
    )
    ?.split('} ')[1];
