import { createHash, randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { StoredObject } from '../../domain/store.ts';
import { makeDirectory, sync, unlessMissing, writeFully } from '../files/files.ts';
import type { Stores } from '../store/stores.ts';
import { runName } from './beside.ts';
import { FileDamaged } from './files.ts';
import { chunks, keepLines, keptLines } from './lines.ts';
import type { Manifest } from './manifest.ts';

/** Bytes that we stored and the log names as an image's: one object, in as many stores as hold it. */
export interface LiveObject {
  readonly imageId: string;
  readonly key: string;
  readonly stores: readonly string[];
  readonly size: number;
  /** The image's own digest, hex; null where the log has none that can be made here. */
  readonly digest: { readonly algorithm: string; readonly value: string } | null;
  /** It was in no store when the backup was made; the next run looks again. */
  readonly missing?: true | undefined;
}

const line = z.object({
  imageId: z.uuid(),
  key: z.string().regex(/^[0-9a-f-]{36}\/[0-9a-f-]{36}\/[1-9]\d*$/i),
  stores: z.array(z.string()),
  size: z.int().min(0),
  digest: z.object({ algorithm: z.string(), value: z.string() }).nullable(),
  missing: z.literal(true).optional(),
});

const pieceBytes = 1024 * 1024;

/** Where an object lies in a backup: under its own key, once. */
export const objectPath = (directory: string, key: string): string => join(directory, 'bytes', key);

/** What the last run found the log to name. */
export async function* keptObjects(
  directory: string,
  manifest: Pick<Manifest, 'objects'> | undefined,
): AsyncGenerator<LiveObject> {
  for (const file of manifest?.objects?.files ?? [])
    for (const text of await keptLines(directory, file)) yield line.parse(JSON.parse(text));
}

export async function keepObjectList(
  directory: string,
  run: number,
  objects: Iterable<LiveObject>,
): Promise<Omit<NonNullable<Manifest['objects']>, 'missing'>> {
  let [count, bytes] = [0, 0];
  const lines = async function* (): AsyncGenerator<string> {
    for (const object of objects) {
      if (!object.missing) [count, bytes] = [count + 1, bytes + object.size];
      yield JSON.stringify(object);
    }
  };
  const files: NonNullable<Manifest['objects']>['files'] = [];
  for await (const chunk of chunks(lines()))
    files.push(
      await keepLines(directory, `beside/${runName(run)}-objects-${files.length}.ndjson.gz`, chunk),
    );
  return { count, bytes, files };
}

/** Whether a file is the object, to the last byte. Throws `FileDamaged` where there is another, or none. */
export async function requireObject(
  path: string,
  { key, size, digest }: LiveObject,
  signal: AbortSignal,
): Promise<void> {
  const file = await unlessMissing(open(path, 'r'));
  if (file === undefined) throw new FileDamaged(`bytes/${key}`, 'is missing');
  try {
    const found = await digestOf(
      {
        size: (await file.stat()).size,
        read: async (into, offset) => (await file.read(into, 0, into.length, offset)).bytesRead,
      },
      digest?.algorithm,
      signal,
    );
    if (found.size !== size)
      throw new FileDamaged(`bytes/${key}`, `has ${found.size} bytes, the image has ${size}`);
    if (digest !== null && found.value !== digest.value)
      throw new FileDamaged(`bytes/${key}`, `is not the image: its ${digest.algorithm} differs`);
  } finally {
    await file.close();
  }
}

/** Copies an object out of the first store that has it as it must be. Throws the reason of the last one where none has. */
export async function copyOut(
  directory: string,
  object: LiveObject,
  stores: Stores,
  signal: AbortSignal,
): Promise<void> {
  let reason: unknown = new Error(`${object.key} is in no store`);
  for (const id of object.stores) {
    const store = stores.byId.get(id);
    if (store === undefined) {
      reason = new Error(`${object.key} is in the store ${id}, which is not in the settings`);
      continue;
    }
    try {
      const source = await store.reader.open(object.key);
      try {
        await copyTo(objectPath(directory, object.key), source, object, signal);
        return;
      } finally {
        await source.close();
      }
    } catch (error) {
      if (signal.aborted) throw error;
      reason = error;
    }
  }
  throw reason;
}

/** Puts an object of a backup where a store of files has it; what lies there already must be the same. */
export async function copyIn(
  directory: string,
  object: LiveObject,
  target: string,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await unlessMissing(stat(target))) !== undefined) {
    await requireObject(target, object, signal);
    return false;
  }
  const file = await unlessMissing(open(objectPath(directory, object.key), 'r'));
  if (file === undefined) throw new FileDamaged(`bytes/${object.key}`, 'is missing');
  try {
    const { size } = await file.stat();
    const source = {
      size,
      read: async (into: Uint8Array, offset: number) =>
        (await file.read(into, 0, into.length, offset)).bytesRead,
    };
    await copyTo(target, source, object, signal);
  } finally {
    await file.close();
  }
  return true;
}

type Readable = Pick<StoredObject, 'size' | 'read'>;

/** Durable under its name only once it is whole and what the log says of it. */
async function copyTo(
  path: string,
  source: Readable,
  { key, size, digest }: LiveObject,
  signal: AbortSignal,
): Promise<void> {
  await makeDirectory(dirname(path));
  const part = `${path}.part-${randomUUID()}`;
  try {
    const target = await open(part, 'wx', 0o600);
    try {
      const found = await digestOf(source, digest?.algorithm, signal, async (bytes, offset) => {
        await writeFully(target, [bytes], offset);
      });
      if (found.size !== size || (digest !== null && found.value !== digest.value))
        throw new FileDamaged(key, `is not what the log says that the image is`);
      await target.sync();
    } finally {
      await target.close();
    }
    await link(part, path).catch(() => rename(part, path));
    await sync(dirname(path));
  } finally {
    await rm(part, { force: true });
  }
}

async function digestOf(
  source: Readable,
  algorithm: string | undefined,
  signal: AbortSignal,
  take: (bytes: Uint8Array, offset: number) => Promise<void> = async () => {},
): Promise<{ readonly size: number; readonly value: string | undefined }> {
  const digest = algorithm === undefined ? undefined : createHash(algorithm);
  const buffer = new Uint8Array(Math.min(pieceBytes, Math.max(source.size, 1)));
  let size = 0;
  for (;;) {
    signal.throwIfAborted();
    const count = await source.read(buffer, size);
    if (count === 0) return { size, value: digest?.digest('hex') };
    const bytes = buffer.subarray(0, count);
    digest?.update(bytes);
    await take(bytes, size);
    size += count;
  }
}
