import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { jsonBody } from '../../apps/gateway/body.ts';
import { bodyBatches } from '../../apps/gateway/body-batches.ts';
import { ClientGone } from '../../apps/gateway/client-gone.ts';
import { HttpError } from '../../apps/gateway/http-error.ts';
import { sendBytes } from '../../apps/gateway/send-bytes.ts';

const mebibyte = 1024 * 1024;
const idleMs = 100;

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly client: Socket;
}

/** A request of which the client has sent no more than the head. */
async function begun(t: TestContext, head: string): Promise<Exchange> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.write(`${head}\r\nHost: test\r\n\r\n`);
  const [req, res] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  return { req, res, client };
}

const upload = 'PUT / HTTP/1.1\r\nContent-Length: 100000000';

test('a download ends when the client reads nothing', async (t) => {
  const { res, client } = await begun(t, 'GET / HTTP/1.1');
  client.pause();
  const size = 64 * mebibyte;
  const object = { size, read: async (into: Uint8Array) => into.length, close: async () => {} };
  await assert.rejects(
    sendBytes(object, { start: 0, end: size }, res, () => {}, idleMs),
    ClientGone,
  );
  assert.ok(res.destroyed);
});

test('an upload ends when the client stops sending', async (t) => {
  const { req } = await begun(t, upload);
  const batches = bodyBatches(req, new AbortController().signal, idleMs);
  await assert.rejects(batches.next(), ClientGone);
});

test('an upload ends when the client stops sending while it had to wait', async (t) => {
  const { req, client } = await begun(t, upload);
  const batches = bodyBatches(req, new AbortController().signal, idleMs);
  const next = batches.next();
  client.write(Buffer.alloc(mebibyte + 1));
  assert.equal((await next).done, false);
  await delay(2 * idleMs); // the batch is being used, for longer than the client may be silent
  await assert.rejects(batches.next(), ClientGone);
});

test('a JSON document has to come in time', async (t) => {
  const exchange = await begun(t, 'POST / HTTP/1.1\r\nContent-Length: 100');
  exchange.client.write('{"name": ');
  await assert.rejects(
    jsonBody(exchange, idleMs),
    (error) => error instanceof HttpError && error.status === 408,
  );
  assert.equal(exchange.req.destroyed, false, 'it can still be answered');
});
