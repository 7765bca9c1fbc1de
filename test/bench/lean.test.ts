import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { sender } from './load.ts';

const server = createServer(async (request: IncomingMessage, response) => {
  const told = { method: request.method, url: request.url, token: request.headers['x-auth-token'] };
  const body = JSON.stringify({ ...told, body: await text(request) });
  if (request.url === '/gone') response.writeHead(404).end('not here');
  else if (request.url === '/nothing') response.writeHead(204).end();
  else if (request.url === '/pieces') {
    for (const letter of body) response.write(letter);
    response.end();
  } else if (request.url === '/last') response.setHeader('Connection', 'close').end(body);
  else if (request.url === '/large') {
    response.setHeader('Content-Length', 3_000_000);
    response.end(Buffer.alloc(3_000_000, '\r\n\r\n'));
  } else response.setHeader('Content-Length', body.length).end(body);
});
let url = '';

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test('sends method, path, headers and body, and gives the body that comes, whole or in chunks', async () => {
  const { ask, close } = sender(url, 1, { 'X-Auth-Token': 'somebody' });
  try {
    for (const path of ['/whole', '/pieces', '/last', '/whole'])
      assert.deepEqual(JSON.parse((await ask(200, 'POST', path, 'grüße')).toString()), {
        ...{ method: 'POST', url: path, token: 'somebody', body: 'grüße' },
      });
    assert.equal((await ask(204, 'DELETE', '/nothing')).length, 0);
    assert.equal((await ask(200, 'GET', '/large')).length, 3_000_000);
  } finally {
    close();
  }
});

test('rejects another status with what the server says, and goes on', async () => {
  const { ask, close } = sender(url, 1);
  try {
    await assert.rejects(ask(200, 'GET', '/gone'), /GET \/gone: 404: not here/);
    assert.equal(JSON.parse((await ask(200, 'GET', '/whole')).toString()).url, '/whole');
  } finally {
    close();
  }
});

test('counts what a download has, and rejects one that is refused', async () => {
  const { download, close } = sender(url, 1);
  try {
    assert.equal(await download('/large'), 3_000_000);
    await assert.rejects(download('/gone'), /404/);
  } finally {
    close();
  }
});

test('rejects an answer that ends before its end', async () => {
  const broken = createTcpServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive '));
  });
  broken.listen(0, '127.0.0.1');
  await once(broken, 'listening');
  const there = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
  const { ask, download, close } = sender(there, 1);
  try {
    await assert.rejects(ask(200, 'GET', '/'), /ended/);
    await assert.rejects(download('/'), /ended/);
  } finally {
    close();
    broken.close();
  }
});
