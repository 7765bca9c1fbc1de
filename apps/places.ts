import { LogUnavailable } from '../domain/event-log.ts';
import { type Config, ConfigError } from '../infra/config/config.ts';
import { isEventStoreDb, openEventLog } from '../infra/event-log/open.ts';
import { makeDirectories, makeDirectory } from '../infra/files/files.ts';
import { postgresPool } from '../infra/postgres/pool.ts';
import { knownStores, ownerOf } from '../infra/store/mounted.ts';
import type { Logger } from '../infra/telemetry/logger.ts';

/** Makes the data directory, for its owner alone; a refusal names the setting. */
export const makeDataDir = (config: Config): Promise<void> =>
  made('--data-dir', config['data-dir'], (directory) => makeDirectories(directory, 0o700));

/**
 * The same for those of bytes, which may lie elsewhere. A store whose disk is not mounted does not keep the others from
 * starting: what needs it is refused until it is there.
 */
export async function makeByteDirs(config: Config): Promise<void> {
  const known = knownStores(config['data-dir']);
  await made('--staging-dir', config['staging-dir'], makeDirectory);
  for (const store of config.stores)
    if (store.type === 'file') {
      const isUsual = store.dir === config['store-dir'];
      const setting = isUsual ? '--store-dir' : `stores: dir of ${store.id}:`;
      await made(setting, store.dir, makeDirectory);
      const owner = await ownerOf({ id: store.id, directory: store.dir }, known);
      if (owner !== undefined && owner !== store.id)
        throw new Error(
          `${setting} ${store.dir}: holds what images have in the store ${owner}, not ${store.id}: a store keeps its id and its directory`,
        );
    }
}

async function made(
  setting: string,
  directory: string,
  make: (directory: string) => Promise<unknown>,
): Promise<void> {
  try {
    await make(directory);
  } catch (error) {
    throw new Error(`${setting} ${directory}: cannot be made: ${reason(error)}`, { cause: error });
  }
}

const databaseSettings = ['postgres-url', 'event-log-url'] as const;

/** Asks each database that the operator named for a sign of life; a refusal names the setting, and no password. */
export async function requireDatabases(config: Config, log: Logger): Promise<void> {
  for (const name of databaseSettings) {
    const url = config[name];
    if (url !== undefined) await requireDatabase(name, url, log);
  }
}

async function requireDatabase(name: string, url: string, log: Logger): Promise<void> {
  try {
    if (isEventStoreDb(url)) {
      const events = await openEventLog(url, { log, upcast: (event) => event });
      await events.head().finally(() => events.close());
      return;
    }
    const pool = postgresPool(url, { log, max: 1, applicationName: 'daguerre' });
    await pool.query('select 1').finally(() => pool.end());
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new Error(`--${name}: cannot be reached: ${reason(error)}`, { cause: error });
  }
}

/** A host with several addresses fails once for each, and says so without a message of its own. */
const reason = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(reason).join('; ')
    : error instanceof LogUnavailable
      ? reason(error.cause)
      : error instanceof Error
        ? error.message
        : String(error);
