import { join } from 'node:path';
import type { Config } from '../../infra/config/config.ts';
import { namesIn } from '../../infra/files/files.ts';
import { embeddedPostgresUrl, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Databases } from '../migrations.ts';
import { makeDataDir, requireDatabases } from '../places.ts';

/**
 * Runs `use` on Daguerre's databases: those in the settings, the embedded one that runs on the data directory, or that
 * one started for as long as the command needs it. Where there is none yet, only who `mayMake` it gets one.
 */
export async function withDatabases<Value>(
  config: Config,
  use: (databases: Databases) => Promise<Value>,
  { mayMake = false } = {},
): Promise<Value> {
  const dataDir = config['data-dir'];
  const on = (postgresUrl: string): Promise<Value> =>
    use({ postgresUrl, eventLogUrl: config['event-log-url'] ?? postgresUrl });
  const log = logger('cli', 'warn');
  await requireDatabases(config, log);
  const url = config['postgres-url'] ?? (await embeddedPostgresUrl(dataDir));
  if (url !== undefined) return on(url);
  if (!mayMake && !(await isThere(dataDir)))
    throw new Error(`there is no Daguerre in ${dataDir}; npm start makes one`);
  await makeDataDir(config);
  const database = await startEmbeddedPostgres({ dataDir, log });
  try {
    return await on(database.url);
  } finally {
    await database.stop();
  }
}

/** Whether a cluster was ever made in a data directory. */
async function isThere(dataDir: string): Promise<boolean> {
  return (await namesIn(join(dataDir, 'postgres'))).includes('PG_VERSION');
}
