import { LogUnavailable } from '../domain/event-log.ts';
import { type Config, ConfigError } from '../infra/config/config.ts';
import { isEventStoreDb, openEventLog } from '../infra/event-log/open.ts';
import { makeDirectories, makeDirectory } from '../infra/files/files.ts';
import { postgresPool } from '../infra/postgres/pool.ts';
import type { Logger } from '../infra/telemetry/logger.ts';

/** Makes the data directory, for its owner alone; a refusal names the setting. */
export const makeDataDir = (config: Config): Promise<void> =>
  named(config, 'data-dir', (directory) => makeDirectories(directory, 0o700));

/** The same for those of bytes, which may lie elsewhere. */
export async function makeByteDirs(config: Config): Promise<void> {
  for (const name of ['staging-dir', 'store-dir'] as const)
    await named(config, name, (directory) => makeDirectory(directory));
}

async function named(
  config: Config,
  name: 'data-dir' | 'staging-dir' | 'store-dir',
  make: (directory: string) => Promise<unknown>,
): Promise<void> {
  try {
    await make(config[name]);
  } catch (error) {
    throw new Error(`--${name} ${config[name]}: cannot be made: ${reason(error)}`, {
      cause: error,
    });
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
