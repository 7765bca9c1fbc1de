import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Tile } from '../../domain/audit/tiles.ts';
import { unlessMissing } from '../files/files.ts';
import { keepFile } from './files.ts';

export const manifestName = 'manifest.json';

/** It is written last: what it does not name is no part of the backup. */
const format = 'daguerre-backup/1';

const count = z.int().min(0);
const position = z.string().regex(/^-?\d{1,19}$/);
/** Two names, neither of which can lead out of the backup. */
const fileName = z.string().regex(/^[a-z]+\/[a-z0-9][a-z0-9._-]*$/);
const kept = z.object({
  file: fileName,
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const schema = z.object({
  format: z.literal(format),
  /** 1 for the first; each run that ends writes one more. */
  run: count,
  takenAt: z.iso.datetime(),
  log: z.object({
    /** Id of the first event, by which a log is told from every other; null while it is empty. */
    first: z.string().nullable(),
    events: count,
    /** Everything up to here is in the backup. */
    position,
    /** Of the event before that one, behind which a reader finds it again; below all where there is none. */
    previous: position,
    /** Of the Merkle tree over all of it, in base64. */
    root: z.base64(),
    /** The last tile of each level of that tree, from which the next run goes on. */
    edge: z.array(z.object({ level: count, index: count, hashes: z.base64() })),
  }),
  segments: z.array(
    kept.extend({ events: count, index: count, firstPosition: position, lastPosition: position }),
  ),
  /** The newest that was signed of what is in the backup; null where none was. */
  checkpoint: z.object({ size: count, note: z.string() }).nullable(),
  /** Tables that lie beside the log, whole. */
  beside: z.record(z.string().regex(/^[a-z_]+$/), z.object({ rows: count, files: z.array(kept) })),
  /** The keys that sign checkpoints. */
  signingKey: kept.nullable(),
  /** The bytes of images; null in a backup without them. */
  objects: z
    .object({ count, bytes: count, files: z.array(kept), missing: z.array(z.string()) })
    .nullable(),
});

export type Manifest = Readonly<z.infer<typeof schema>>;
export type Segment = Manifest['segments'][number];
export type KeptTable = Manifest['beside'][string];

/** A tile of the tree, as the manifest has it. */
export const keptTile = ({ level, index, hashes }: Tile): Manifest['log']['edge'][number] => ({
  ...{ level, index },
  hashes: Buffer.from(hashes).toString('base64'),
});

/** There is none, or it cannot be read; the message names the file. */
export class ManifestRefused extends Error {
  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.name = 'ManifestRefused';
  }
}

/** Undefined where there is none. Throws `ManifestRefused` where it is malformed. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const path = join(directory, manifestName);
  const text = await unlessMissing(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new ManifestRefused(path, 'is damaged: it is not JSON');
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ManifestRefused(
    path,
    `is damaged, or of another release: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

/** The same, where there must be one. */
export async function requireManifest(directory: string): Promise<Manifest> {
  const manifest = await readManifest(directory);
  if (manifest !== undefined) return manifest;
  throw new ManifestRefused(join(directory, manifestName), 'is not there: this is no backup');
}

/** With this the backup is another one, and until then the one before. */
export async function writeManifest(
  directory: string,
  manifest: Omit<Manifest, 'format'>,
): Promise<void> {
  const text = `${JSON.stringify({ format, ...manifest }, undefined, 2)}\n`;
  await keepFile(directory, manifestName, Buffer.from(text));
}

/** Every file that a manifest names, but for the bytes of images. */
export const filesOf = ({
  segments,
  beside,
  signingKey,
  objects,
}: Omit<Manifest, 'format'>): readonly string[] =>
  [
    ...segments,
    ...Object.values(beside).flatMap(({ files }) => files),
    ...(signingKey === null ? [] : [signingKey]),
    ...(objects?.files ?? []),
  ].map(({ file }) => file);
