import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { checkpointFrom } from '../../infra/audit/checkpoint.ts';
import { parsedNote } from '../../infra/audit/note.ts';
import { FileDamaged, keepFile, keptFile } from '../../infra/backup/files.ts';
import type { Manifest } from '../../infra/backup/manifest.ts';
import { copyIn, keptObjects } from '../../infra/backup/objects.ts';
import { RestoreRefused, requireEmpty, restoreLog } from '../../infra/backup/restore-log.ts';
import { verifyBackup } from '../../infra/backup/verify.ts';
import { type Config, ConfigError } from '../../infra/config/config.ts';
import { isEventStoreDb } from '../../infra/event-log/open.ts';
import { makeDirectories, unlessMissing } from '../../infra/files/files.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { keyFileOf } from '../audit/part.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { makeByteDirs } from '../places.ts';
import { projections } from '../projector/projections.ts';
import { readRunning } from '../standalone/running-file.ts';
import { withDatabases } from './database.ts';
import { operatorOf } from './operator.ts';
import { interruption, progressLine } from './progress-line.ts';
import { rebuildAll } from './rebuild.ts';

/** Only where nothing is yet; gives the exit code. */
export async function restoreBackup(
  config: Config,
  directory: string,
  manifest: Manifest,
): Promise<number> {
  if (readRunning(config['data-dir']) !== undefined)
    throw new RestoreRefused(
      `Daguerre runs on ${config['data-dir']}: a backup is restored into a new one`,
    );
  const signal = interruption('interrupted; run it again');
  const key = await keyToRestore(config, directory, manifest);
  await requireNoLaterCheckpoint(config, manifest);
  return withDatabases(
    config,
    async (databases) => {
      await prepared(databases);
      const findings = await verified(directory, manifest, signal);
      if (findings.length > 0) {
        for (const finding of findings) process.stdout.write(`${finding}\n`);
        process.stdout.write(`NOT restored: ${directory} is damaged\n`);
        return 1;
      }
      const { objects, lacking } = await restoreBytes(config, directory, manifest, signal);
      const pool = logPool(databases);
      try {
        await restoreLog(pool, directory, manifest, {
          operator: operatorOf('daguerre restore'),
          signal,
          onProgress: progressLine('restore'),
          beforeCommit: async () => {
            if (key !== undefined) await keepFile(key.directory, key.file, key.content);
          },
        });
      } finally {
        await pool.end();
      }
      await rebuildAll(projections, databases, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        throw new Error('interrupted; the log is back, and daguerre up makes the read models');
      });
      const { events, position } = manifest.log;
      process.stdout.write(
        `restored: ${events} events up to position ${events === 0 ? 0 : position} as of ${manifest.takenAt}, ${objects} objects; daguerre up starts it\n`,
      );
      for (const one of lacking) process.stderr.write(`not restored: ${one}\n`);
      return lacking.length === 0 ? 0 : 1;
    },
    { mayMake: true },
  );
}

const logPool = ({ eventLogUrl }: Databases) =>
  postgresPool(eventLogUrl, {
    log: logger('cli', 'warn'),
    max: 1,
    applicationName: 'daguerre restore',
    settings: { timezone: 'UTC', datestyle: 'ISO' },
  });

/** Makes the tables; throws `RestoreRefused` where there is anything in them, before time is spent on the backup. */
async function prepared(databases: Databases): Promise<void> {
  const { eventLogUrl, postgresUrl } = databases;
  if (isEventStoreDb(eventLogUrl))
    throw new ConfigError([
      '--event-log-url: a backup is restored into Postgres, also one of an EventStoreDB log; EventStoreDB has a backup of its own',
    ]);
  const quiet = logger('cli', 'warn');
  await migrateAll(databases, quiet);
  const pool = logPool(databases);
  await requireEmpty(pool).finally(() => pool.end());
  const models = postgresPool(postgresUrl, { log: quiet, max: 1 });
  const { rowCount } = await models
    .query('select from read_model.generation where position > 0')
    .finally(() => models.end());
  if (rowCount !== 0)
    throw new RestoreRefused(
      '--postgres-url: holds read models of another log; name a new database',
    );
}

async function verified(
  directory: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const onProgress = progressLine('verify');
  return (await verifyBackup(directory, manifest, { bytes: false, signal, onProgress })).findings;
}

/**
 * Puts every object into the stores that the log says have it. What is damaged keeps the others from nothing: it is told, and
 * the image is there without its bytes.
 */
export async function restoreBytes(
  config: Config,
  directory: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<{ readonly objects: number; readonly lacking: readonly string[] }> {
  const lacking = [...(manifest.objects?.missing ?? [])];
  if (manifest.objects === null) return { objects: 0, lacking };
  const directories = new Map(
    config.stores.flatMap((store) => (store.type === 'file' ? [[store.id, store.dir]] : [])),
  );
  await makeByteDirs(config);
  const onProgress = progressLine('restore');
  let done = 0;
  for await (const object of keptObjects(directory, manifest)) {
    if (object.missing) continue;
    for (const id of object.stores) {
      const store = directories.get(id);
      if (store === undefined)
        throw new ConfigError([
          `stores: the backup has bytes of the store ${id}, which is no store of files here`,
        ]);
      try {
        await copyIn(directory, object, join(store, object.key), signal);
      } catch (error) {
        if (!(error instanceof FileDamaged)) throw error;
        lacking.push(`image ${object.imageId} in ${id}: ${error.message}`);
      }
    }
    done += 1;
    onProgress({ what: 'objects', done, of: manifest.objects.count });
  }
  return { objects: done, lacking };
}

/** Undefined where the backup has none, or the same is there. */
async function keyToRestore(config: Config, directory: string, { signingKey }: Manifest) {
  if (signingKey === null) return undefined;
  const content = await keptFile(directory, signingKey);
  const path = keyFileOf(config);
  const there = await unlessMissing(readFile(path));
  if (there === undefined) {
    await makeDirectories(dirname(path), 0o700);
    return { directory: dirname(path), file: basename(path), content };
  }
  if (!there.equals(content))
    throw new RestoreRefused(`${path}: is another key than the one in the backup; move it away`);
  return undefined;
}

/** What this host has signed last is not taken back: a backup from before lacks what was signed since. */
async function requireNoLaterCheckpoint(config: Config, { log }: Manifest): Promise<void> {
  const path = join(config['data-dir'], 'audit', 'checkpoint');
  const note = await unlessMissing(readFile(path, 'utf8'));
  if (note === undefined) return;
  const { size } = checkpointFrom(parsedNote(note).text);
  if (size > log.events)
    throw new RestoreRefused(
      `${path}: ${size} events were signed here, the backup has ${log.events}. Move that file away, and keep it, if the others are lost`,
    );
}
