import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageQueries } from '../../projections/images/queries.ts';
import { alice, startGateway } from '../support/gateway.ts';
import { testDatabase } from '../support/postgres.ts';

test('while the read model is being built again, reads are answered 503', async (t) => {
  const { pool } = await testDatabase();
  const gateway = await startGateway(t, {
    change: (ports) => ({ ...ports, images: imageQueries(pool) }),
  });
  const id = '01234567-89ab-4def-8123-456789abcdef';
  for (const path of ['/v2/images', `/v2/images/${id}`, `/v2/images/${id}/file`])
    assert.equal((await gateway.ask(path)).status, 503, path);
});

for (const message of [
  'Client has encountered a connection error and is not queryable',
  'Connection terminated unexpectedly',
])
  test(`a read that ends with "${message}" is answered 503`, async (t) => {
    const gateway = await startGateway(t, {
      change: (ports) => ({
        ...ports,
        images: { ...ports.images, list: () => Promise.reject(new Error(message)) },
      }),
    });
    assert.equal((await gateway.ask('/v2/images')).status, 503);
  });

test('a token whose ids cannot be kept is answered 401, and nothing is recorded', async (t) => {
  const gateway = await startGateway(t);
  const token = `u:${'x'.repeat(4000)}:member`;
  const refused = await gateway.send('POST', '/v2/images', { name: 'poison' }, token);
  assert.equal(refused.status, 401);
  assert.equal(await gateway.ports.log.head(), 0n);
  assert.equal((await gateway.send('POST', '/v2/images', {}, alice)).status, 201);
});
