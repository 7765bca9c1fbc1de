import { setTimeout as delay } from 'node:timers/promises';
import type { NatsServer } from '../support/nats.ts';
import type { RedisServer } from '../support/redis.ts';
import type { Chance } from './chance.ts';
import { busy, type Fault, killed } from './faults.ts';

/** Longer than anybody waits for an answer, and than a lease. */
const pauseMs = 6_000;
const longestMomentMs = 250;

/** What can happen to the bus and to the queue, in an order of its own, and to our processes meanwhile. */
export function busFaults(nats: NatsServer, redis: RedisServer, chance: Chance): readonly Fault[] {
  const during = (name: string, strike: () => Promise<void>): Fault => ({
    name,
    async strike(_, load, own) {
      await busy(load);
      await delay(own.int(longestMomentMs));
      const uploads = load.uploading();
      await strike();
      return { overAt: Date.now(), uploads };
    },
  });
  const restarted = (server: NatsServer | RedisServer, forget: boolean) => async () => {
    await server.kill();
    if (forget) await server.forget();
    await server.start();
  };
  const paused = (server: NatsServer | RedisServer) => async () => {
    server.pause();
    await delay(pauseMs);
    server.resume();
  };
  return chance.shuffled([
    during('kill nats-server', restarted(nats, false)),
    during('delete the JetStream directory', restarted(nats, true)),
    during('pause nats-server', paused(nats)),
    during('stop nats-server for a while', async () => {
      await nats.end();
      await delay(pauseMs);
      await nats.start();
    }),
    during('kill redis-server', restarted(redis, false)),
    during('kill redis-server and delete its files', restarted(redis, true)),
    during('flush Redis', () => redis.flush()),
    during('pause redis-server', paused(redis)),
    during('stop redis-server for a while', async () => {
      await redis.end();
      await delay(pauseMs);
      await redis.start();
    }),
    during('lose all of both', async () => {
      await Promise.all([restarted(nats, true)(), restarted(redis, true)()]);
    }),
    killed('relay'),
    killed('worker'),
    killed('gateway'),
  ]);
}
