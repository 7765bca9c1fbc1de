import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { auditMemoryMigrations } from '../../infra/audit/migrations.ts';
import { type Manifest, requireManifest } from '../../infra/backup/manifest.ts';
import { restoreLog } from '../../infra/backup/restore-log.ts';
import { type BackupPorts, type Taken, takeBackup } from '../../infra/backup/take.ts';
import { type Verified, verifyBackup } from '../../infra/backup/verify.ts';
import { lowestPosition } from '../../infra/event-log/open.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { webhookSecretMigrations } from '../../infra/webhooks/migrations.ts';
import { auditSite, type Site } from '../audit/site.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

export interface BackupSite extends Site {
  /** Where its backups go. */
  readonly backup: string;
  readonly backupPorts: BackupPorts;
  take(signal?: AbortSignal): Promise<Taken>;
  verify(keys?: readonly string[]): Promise<Verified>;
  manifest(): Promise<Manifest>;
}

const operator = { userId: 'uid 0', userName: 'root', remoteAddress: '', userAgent: 'test' };
const never = new AbortController().signal;

/** A log with its audit, and a directory to back it up into. */
export async function backupSite(t: TestContext): Promise<BackupSite> {
  const site = await auditSite(t);
  await migrate(site.database.pool, webhookSecretMigrations);
  const root = await mkdtemp(join(tmpdir(), 'daguerre-backup-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const backup = join(root, 'backup');
  const backupPorts = {
    log: site.log,
    besideLog: site.database.pool,
    lowest: lowestPosition(site.database.url),
    signingKey: () => readFile(site.keyFile, 'utf8').catch(() => undefined),
    stores: storesFrom([], ''),
  };
  return {
    ...site,
    backup,
    backupPorts,
    take: (signal = never) => takeBackup(backupPorts, backup, { bytes: false, signal }),
    verify: async (keys = []) =>
      verifyBackup(backup, await requireManifest(backup), { keys, signal: never }),
    manifest: () => requireManifest(backup),
  };
}

export interface Restored {
  readonly database: TestDatabase;
  events(): Promise<readonly RecordedEvent[]>;
  restore(signal?: AbortSignal): Promise<void>;
}

/** A new database that a backup can be restored into. */
export async function emptyDatabase(t: TestContext, backup: string): Promise<Restored> {
  const database = await testDatabase([
    ...eventLogMigrations,
    ...personalMigrations,
    ...webhookSecretMigrations,
    ...auditMemoryMigrations,
  ]);
  const settings = { timezone: 'UTC', datestyle: 'ISO' };
  const pool = postgresPool(database.url, { log: silent, max: 1, settings });
  t.after(() => pool.end());
  return {
    database,
    events: () => allEvents(database.url),
    restore: async (signal = never) =>
      restoreLog(pool, backup, await requireManifest(backup), {
        ...{ operator, signal },
        onProgress: () => {},
        beforeCommit: async () => {},
      }),
  };
}

export async function allEvents(url: string): Promise<readonly RecordedEvent[]> {
  const log = postgresEventLog(url, { log: silent, upcast: (event) => event });
  const events: RecordedEvent[] = [];
  for (;;) {
    const more = await log.readAll(events.at(-1)?.position ?? 0n, 1_000);
    if (more.length === 0) break;
    events.push(...more);
  }
  await log.close();
  return events;
}

/** Every byte of a backup as text, whatever is compressed uncompressed. */
export async function textOf(directory: string): Promise<string> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  const texts = names
    .filter((entry) => entry.isFile())
    .map(async ({ parentPath, name }) => {
      const bytes = await readFile(join(parentPath, name));
      return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    });
  return (await Promise.all(texts)).join('\n');
}

/** So many events, faster than by appending them. */
export async function fill({ pool }: TestDatabase, count: number): Promise<void> {
  await pool.query(
    `
    with made as (
      insert into events
        (position, stream_id, revision, id, type, schema_version, recorded_at, data, metadata)
      select
        c.position + n, $2 || n, 0, gen_random_uuid(), 'TagAdded', 1, now(),
        jsonb_build_object('tag', md5(n::text)), $3::jsonb
      from event_counter as c, generate_series(1, $1::integer) as n
      returning stream_id
    ),
    heads as (
      insert into event_heads (stream_id, revision) select stream_id, 0 from made
    )
    update event_counter set position = position + $1::integer`,
    [
      count,
      `filled-${randomUUID()}-`,
      JSON.stringify({
        actor: { kind: 'system', part: 'test' },
        requestId: 'req-test',
        causationId: randomUUID(),
        correlationId: randomUUID(),
      }),
    ],
  );
}
