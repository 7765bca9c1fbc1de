import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { postgresAuditMemory } from '../audit/memory.ts';
import { makeDirectories, namesIn } from '../files/files.ts';
import type { Stores } from '../store/stores.ts';
import { keepBeside, runName } from './beside.ts';
import { newestUpTo } from './checkpoints.ts';
import { keepFile } from './files.ts';
import { keepLog, type LogCut, requireSameLog } from './keep-log.ts';
import { keepObjects } from './keep-objects.ts';
import { locked } from './lock.ts';
import { keptTile, type Manifest, readManifest, writeManifest } from './manifest.ts';
import type { BackupProgress } from './progress.ts';
import { prune } from './prune.ts';

/** What a backup is made of. */
export interface BackupPorts {
  /** As it is stored: no event may be lifted to a newer shape. */
  readonly log: Pick<EventLog, 'readAll' | 'readStream' | 'head'>;
  /** Below every position that an event can be given. */
  readonly lowest: bigint;
  /** The database beside the log. */
  readonly besideLog: Pool;
  /** What the signing key's file says, whole; undefined where there is none. */
  readonly signingKey: () => Promise<string | undefined>;
  readonly stores: Stores;
}

export interface BackupOptions {
  readonly bytes: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly now?: () => Date;
}

export interface Taken {
  readonly manifest: Manifest;
  /** Since the run before. */
  readonly newEvents: number;
  readonly newObjects: number;
}

/**
 * Brings the backup in a directory up to the log's head of now, while the system runs:
 *
 *     manifest.json              what is in the backup, by SHA-256; written last, and with a rename
 *     log/{index}.ndjson.gz      events, as they are stored; written once
 *     beside/{run}-{table}-...   what lies beside the log; each run writes all of it, and removes that of the run before
 *     beside/{run}-key           the keys that sign checkpoints: a secret
 *     bytes/{image}/{upload}/{epoch}   what the log names as images' bytes, once each
 *
 * The log comes first and is cut at a position, then what lies beside it: so whatever an event refers to is there. Who is
 * killed leaves the backup as it was, with files that the next run overwrites or removes.
 */
export async function takeBackup(
  ports: BackupPorts,
  directory: string,
  options: BackupOptions,
): Promise<Taken> {
  await makeDirectories(directory, 0o700);
  await requireOurs(directory);
  return locked(directory, () => take(ports, directory, options));
}

const ours = ['manifest.json', 'lock.json', 'log', 'beside', 'bytes'];

/** A directory that is used for something else is not touched. */
async function requireOurs(directory: string): Promise<void> {
  const strange = (await namesIn(directory)).filter(
    (name) => !ours.includes(name.split('.part-')[0] ?? ''),
  );
  if (strange.length > 0)
    throw new Error(
      `${directory}: holds ${strange[0]}, and is no backup; name a directory of its own`,
    );
}

async function take(
  { log, lowest, besideLog, signingKey, stores }: BackupPorts,
  directory: string,
  { bytes, signal, onProgress = () => {}, now = () => new Date() }: BackupOptions,
): Promise<Taken> {
  const before = await readManifest(directory);
  const run = (before?.run ?? 0) + 1;
  await requireSameLog(log, before, directory, lowest);
  const memory = postgresAuditMemory(besideLog);
  let cut: LogCut = cutOf(before, lowest);
  const extend = async (): Promise<readonly string[]> => {
    const head = await log.head();
    const signed = await memory.heads();
    const { images, ...rest } = await keepLog(log, directory, {
      ...{ from: cut, upTo: head, signed, signal },
      onEvent: ({ position }, done) => onProgress({ what: 'events', done, position, upTo: head }),
    });
    cut = rest;
    return images;
  };
  const images = await extend();
  const withBytes = bytes || (before?.objects ?? null) !== null;
  const objects = withBytes
    ? await keepObjects(
        { log, stores },
        { directory, before, run, images, cut: () => cut, extend, signal, onProgress },
      )
    : { list: null, copied: 0 };
  const beside = await keepBeside(besideLog, directory, { run, position: cut.position, signal });
  const key = await signingKey();
  const checkpoint = await newestUpTo(besideLog, cut);
  const manifest: Omit<Manifest, 'format'> = {
    run,
    takenAt: now().toISOString(),
    log: {
      first: before?.log.first ?? (await log.readAll(lowest, 1))[0]?.id ?? null,
      events: cut.events,
      position: String(cut.position),
      previous: String(cut.previous),
      root: Buffer.from(cut.root).toString('base64'),
      edge: cut.edge.map(keptTile),
    },
    segments: [...cut.segments],
    checkpoint,
    beside,
    signingKey:
      key === undefined
        ? null
        : await keepFile(directory, `beside/${runName(run)}-key`, Buffer.from(key)),
    objects: objects.list,
  };
  signal.throwIfAborted();
  await writeManifest(directory, manifest);
  await prune(directory, manifest);
  return {
    manifest: { format: 'daguerre-backup/1', ...manifest },
    newEvents: cut.events - (before?.log.events ?? 0),
    newObjects: objects.copied,
  };
}

const cutOf = (before: Manifest | undefined, lowest: bigint): LogCut => ({
  events: before?.log.events ?? 0,
  position: BigInt(before?.log.position ?? lowest),
  previous: BigInt(before?.log.previous ?? lowest),
  root: Buffer.from(before?.log.root ?? '', 'base64'),
  edge: (before?.log.edge ?? []).map(({ hashes, ...tile }) => ({
    ...tile,
    hashes: Buffer.from(hashes, 'base64'),
  })),
  segments: before?.segments ?? [],
});
