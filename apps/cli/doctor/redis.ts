import { Redis } from 'ioredis';
import type { Config } from '../../../infra/config/config.ts';
import { reasonOf } from '../../reason.ts';
import { examine, type Finding, type Findings } from './finding.ts';

const withinMs = 5_000;
/** BullMQ warns below it. */
const oldest = [6, 2] as const;

export async function examineRedis(config: Config): Promise<readonly Finding[]> {
  const url = config['redis-url'];
  if (url === undefined) return [];
  return examine(
    'redis',
    async (found) => {
      const redis = new Redis(url, {
        lazyConnect: true,
        connectTimeout: withinMs,
        commandTimeout: withinMs,
        maxRetriesPerRequest: 0,
        enableOfflineQueue: false,
        retryStrategy: () => null,
      });
      let why: unknown;
      redis.on('error', (error) => {
        why ??= error;
      });
      try {
        await redis.connect().catch((error) => {
          throw why ?? error;
        });
        await server(redis, found);
        await memory(redis, found);
        await persistence(redis, found);
      } finally {
        redis.disconnect();
      }
    },
    'look at --redis-url and its password, and whether that server runs',
  );
}

async function server(redis: Redis, found: Findings): Promise<void> {
  const version = await infoOf(redis, 'server', 'redis_version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    found.fail(`is Redis ${version}: ${oldest.join('.')} is the oldest that will do`);
  else found.ok(`Redis ${version} answers`);
}

async function memory(redis: Redis, found: Findings): Promise<void> {
  const policy = await infoOf(redis, 'memory', 'maxmemory_policy');
  if (policy === 'noeviction') found.ok('maxmemory-policy is noeviction');
  else
    found.fail(
      `maxmemory-policy is ${policy}: jobs are thrown away when memory is short; set maxmemory-policy noeviction`,
    );
}

/** A job that is lost is issued again, some seconds later; so this is no failure. */
async function persistence(redis: Redis, found: Findings): Promise<void> {
  const enabled = await infoOf(redis, 'persistence', 'aof_enabled');
  const written = await infoOf(redis, 'persistence', 'aof_last_write_status');
  if (enabled !== '1')
    found.warn('appendonly is off: after a restart all jobs are issued again; set appendonly yes');
  else if (written !== 'ok') found.fail('cannot write its append-only file: look at its disk');
  else found.ok('keeps its jobs in an append-only file');
}

async function infoOf(redis: Redis, section: string, name: string): Promise<string> {
  const text = await redis.info(section).catch((error) => {
    throw new Error(`does not answer INFO (${reasonOf(error)}): allow it to this user`);
  });
  return new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
}
