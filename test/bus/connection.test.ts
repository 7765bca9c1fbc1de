import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectNats, type NatsAccess, natsOptions } from '../../infra/bus/nats/connection.ts';
import { natsServer } from '../support/nats.ts';
import { silent } from '../support/silent-log.ts';

/** Whether it connects; gives up at the first refusal. */
async function connects(access: NatsAccess): Promise<boolean> {
  const giveUp = new AbortController();
  const log = { ...silent, warn: () => giveUp.abort() };
  try {
    const nats = await connectNats(access, { name: 'test', log, signal: giveUp.signal });
    await nats.close();
    return true;
  } catch {
    return false;
  }
}

test('user and password come from the address, with what is escaped there', async () => {
  const { port } = await natsServer('authorization { user: "re/lay", password: "p@ss" }');
  assert.equal(await connects({ urls: [`nats://re%2Flay:p%40ss@127.0.0.1:${port}`] }), true);
  assert.equal(await connects({ urls: [`nats://re%2Flay:wrong@127.0.0.1:${port}`] }), false);
  assert.equal(await connects({ urls: [`nats://127.0.0.1:${port}`] }), false);
});

test('a token comes from the address', async () => {
  const { port } = await natsServer('authorization { token: "secret" }');
  assert.equal(await connects({ urls: [`nats://secret@127.0.0.1:${port}`] }), true);
  assert.equal(await connects({ urls: [`nats://other@127.0.0.1:${port}`] }), false);
});

test('of several servers, one that is there will do', async () => {
  const { port } = await natsServer();
  assert.equal(await connects({ urls: ['nats://127.0.0.1:1', `nats://127.0.0.1:${port}`] }), true);
});

test('TLS is asked for by tls:// or by a certificate file, and by nothing else', () => {
  const urls = ['nats://one:4222'];
  assert.equal(natsOptions({ urls }, 'test').tls, undefined);
  assert.deepEqual(natsOptions({ urls: ['tls://one:4222'] }, 'test').tls, {});
  assert.deepEqual(natsOptions({ urls, caFile: '/ca.pem' }, 'test').tls, { caFile: '/ca.pem' });
});
