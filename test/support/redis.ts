import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { Redis } from 'ioredis';
import { type OwnServer, ownServer } from './own-server.ts';

export interface RedisServer extends OwnServer {
  readonly url: string;
  flush(): Promise<void>;
  /** Removes all that it keeps. For a server that was killed. */
  forget(): Promise<void>;
}

/** A `redis-server` that writes each command to its log, as the README says it should; gone after the test. */
export async function redisServer(): Promise<RedisServer> {
  const server = await startRedisServer();
  after(() => server.remove());
  return server;
}

/** The same, for who removes it himself. */
export async function startRedisServer(): Promise<RedisServer> {
  const server = await ownServer({
    debianPackage: 'redis-server',
    async command(port, directory) {
      return [
        'redis-server',
        ...['--bind', '127.0.0.1', '--port', String(port), '--dir', directory],
        ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
      ];
    },
  });
  const url = `redis://127.0.0.1:${server.port}`;
  return {
    ...server,
    url,
    async flush() {
      const redis = new Redis(url);
      await redis.flushall();
      redis.disconnect();
    },
    forget: () => rm(join(server.directory, 'appendonlydir'), { recursive: true, force: true }),
  };
}
