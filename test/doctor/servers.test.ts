import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { natsServer } from '../support/nats.ts';
import { ownServer } from '../support/own-server.ts';
import { redisServer } from '../support/redis.ts';
import { doctor } from './doctor.ts';

describe('the doctor, of Redis', () => {
  test('names one that evicts, keeps nothing, wants a password, stands still or is gone', async () => {
    const server = await redisServer();
    const args = ['--redis-url', server.url];
    const well = (await doctor(args)).findings.filter(({ of }) => of === 'redis');
    assert.ok(well.length === 3 && well.every(({ verdict }) => verdict === 'ok'));
    const redis = new Redis(server.url);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    (await doctor(args)).says('redis', 'fail', /allkeys-lru.*set maxmemory-policy noeviction/);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'appendonly', 'no');
    (await doctor(args)).says('redis', 'warn', /appendonly is off/);
    await redis.config('SET', 'requirepass', 's3cret');
    (await doctor(args)).says('redis', 'fail', /NOAUTH.*its password/);
    const wrong = await doctor(['--redis-url', server.url.replace('//', '//:wr0ng@')]);
    wrong.says('redis', 'fail', /WRONGPASS/);
    assert.ok(!JSON.stringify(wrong.findings).includes('wr0ng'));
    redis.disconnect();
    server.pause();
    (await doctor(args)).says('redis', 'fail', /timed? ?out/i);
    server.resume();
    await server.kill();
    (await doctor(args)).says('redis', 'fail', /ECONNREFUSED.*whether that server runs/);
  });
});

describe('the doctor, of NATS', () => {
  test('names streams of another shape, and those that are not there', async () => {
    const server = await natsServer();
    const connection = await server.connect();
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: 'DAGUERRE', subjects: ['daguerre.v1.>'], max_msgs: 5 });
    await connection.close();
    const asked = await doctor(['--nats-url', server.url]);
    asked.says('nats', 'fail', /stream DAGUERRE has another shape: subjects is .* delete it/);
    const warned = asked.findings.filter(({ verdict }) => verdict === 'warn');
    for (const name of ['DAGUERRE_OWN', 'DAGUERRE_NOTIFICATIONS'])
      assert.ok(
        warned.some(({ says }) => says.includes(`no stream ${name}`)),
        name,
      );
    await server.kill();
    (await doctor(['--nats-url', server.url])).says('nats', 'fail', /REFUSED.*--nats-url/);
  });

  test('names a server without JetStream', async () => {
    const server = await ownServer({
      debianPackage: 'nats-server',
      command: async (port) => ['nats-server', '-a', '127.0.0.1', '-p', String(port)],
    });
    after(() => server.remove());
    const asked = await doctor(['--nats-url', `nats://127.0.0.1:${server.port}`]);
    asked.says('nats', 'fail', /JetStream does not answer.*put a jetstream block/);
  });

  test('names one that does not let us in', async () => {
    const server = await natsServer('authorization { token: "right" }');
    const wrong = server.url.replace('//', '//wr0ng@');
    const asked = await doctor(['--nats-url', wrong]);
    asked.says('nats', 'fail', /Authorization|AUTHORIZATION/);
    assert.ok(!JSON.stringify(asked.findings).includes('wr0ng'));
  });
});
