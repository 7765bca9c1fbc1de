import { auditMemoryMigrations, auditTreeMigrations } from '../infra/audit/migrations.ts';
import { besideLogUrl, isEventStoreDb } from '../infra/event-log/open.ts';
import { eventLogMigrations } from '../infra/event-log/postgres/migrations.ts';
import { exportMigrations } from '../infra/export/migrations.ts';
import { importTokenMigrations } from '../infra/import-tokens/migrations.ts';
import { leaseMigrations } from '../infra/leases/migrations.ts';
import { nearMigrations } from '../infra/near/migrations.ts';
import { personalMigrations } from '../infra/personal/migrations.ts';
import { type Migration, migrate, pending } from '../infra/postgres/migrate.ts';
import { postgresPool } from '../infra/postgres/pool.ts';
import { progressMigrations } from '../infra/progress/migrations.ts';
import { readModelMigrations } from '../infra/read-model/migrations.ts';
import { sharedDirectoryMigrations } from '../infra/shared-directories/migrations.ts';
import type { Logger } from '../infra/telemetry/logger.ts';
import {
  webhookProgressMigrations,
  webhookSecretMigrations,
} from '../infra/webhooks/migrations.ts';

/** Where each part of the system keeps its tables. */
export interface Databases {
  readonly eventLogUrl: string;
  readonly postgresUrl: string;
}

/** Beside the log: what is backed up with it. The log itself is there only where Postgres keeps it. */
const besideTheLog = (eventLogUrl: string): readonly Migration[] => [
  ...(isEventStoreDb(eventLogUrl) ? [] : eventLogMigrations),
  ...personalMigrations,
  ...webhookSecretMigrations,
  ...importTokenMigrations,
  ...auditMemoryMigrations,
  ...exportMigrations,
];
/** Everything that can be made again. */
const derived: readonly Migration[] = [
  ...readModelMigrations,
  ...leaseMigrations,
  ...nearMigrations,
  ...progressMigrations,
  ...webhookProgressMigrations,
  ...sharedDirectoryMigrations,
  ...auditTreeMigrations,
];

/** Brings every database to this release's shape; gives the names of what was done, none when all was done before. */
export async function migrateAll(databases: Databases, log: Logger): Promise<readonly string[]> {
  const { eventLogUrl, postgresUrl } = databases;
  const beside = besideLogUrl(eventLogUrl, postgresUrl);
  const done = await migrateOne(beside, besideTheLog(eventLogUrl), log);
  return [...done, ...(await migrateOne(postgresUrl, derived, log))];
}

/** What one of the databases, by its URL, lacks of this release's shape. */
export async function pendingOn(
  url: string,
  { eventLogUrl, postgresUrl }: Databases,
  log: Logger,
): Promise<readonly string[]> {
  const isBeside = url === besideLogUrl(eventLogUrl, postgresUrl);
  const wanted = [
    ...(isBeside ? besideTheLog(eventLogUrl) : []),
    ...(url === postgresUrl ? derived : []),
  ];
  const pool = postgresPool(url, { log, max: 1, applicationName: 'daguerre' });
  return pending(pool, wanted).finally(() => pool.end());
}

async function migrateOne(
  url: string,
  migrations: readonly Migration[],
  log: Logger,
): Promise<readonly string[]> {
  const pool = postgresPool(url, { log, max: 1, applicationName: 'daguerre migrate' });
  try {
    const done = await migrate(pool, migrations);
    if (done.length > 0) log.info({ migrations: done }, 'migrated');
    return done;
  } finally {
    await pool.end();
  }
}
