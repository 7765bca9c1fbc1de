import { mkdir } from 'node:fs/promises';
import type { Config } from '../../infra/config/config.ts';
import { embeddedPostgresUrl, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Databases } from '../migrations.ts';

/**
 * Runs `use` on Daguerre's databases: those in the settings, the embedded one that runs on the data directory, or that
 * one started for as long as the command needs it.
 */
export async function withDatabases<Value>(
  config: Config,
  use: (databases: Databases) => Promise<Value>,
): Promise<Value> {
  const dataDir = config['data-dir'];
  const on = (postgresUrl: string): Promise<Value> =>
    use({ postgresUrl, eventLogUrl: config['event-log-url'] ?? postgresUrl });
  const url = config['postgres-url'] ?? (await embeddedPostgresUrl(dataDir));
  if (url !== undefined) return on(url);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const database = await startEmbeddedPostgres({ dataDir, log: logger('cli', 'warn') });
  try {
    return await on(database.url);
  } finally {
    await database.stop();
  }
}
