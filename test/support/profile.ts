import { type NatsServer, startNatsServer } from './nats.ts';
import { type RedisServer, startRedisServer } from './redis.ts';

export type Profile = 'embedded' | 'distributed';

/** What this run is to be about, `DAGUERRE_TEST_PROFILE`: suites that are run on both profiles are told by it. */
export function profileOfThisRun(): Profile {
  // biome-ignore lint/style/noProcessEnv: the test command tells its suites
  const asked = process.env.DAGUERRE_TEST_PROFILE ?? 'embedded';
  if (asked === 'embedded' || asked === 'distributed') return asked;
  throw new Error(`DAGUERRE_TEST_PROFILE is embedded or distributed, not ${asked}`);
}

/** What a profile has besides Postgres. */
export interface Surroundings {
  /** Flags that name it. */
  readonly args: readonly string[];
  readonly servers?: { readonly nats: NatsServer; readonly redis: RedisServer };
  remove(): Promise<void>;
}

/** Starts the servers that the profile works with: a `nats-server` and a `redis-server` of the caller's own, or none. */
export async function surroundingsOf(profile: Profile): Promise<Surroundings> {
  if (profile === 'embedded') return { args: [], remove: async () => {} };
  const nats = await startNatsServer();
  const redis = await startRedisServer();
  return {
    args: ['--nats-url', nats.url, '--redis-url', redis.url],
    servers: { nats, redis },
    async remove() {
      await Promise.all([nats.remove(), redis.remove()]);
    },
  };
}
