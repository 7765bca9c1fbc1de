import { rm, stat } from 'node:fs/promises';
import type { EventLog } from '../../domain/event-log.ts';
import { unlessMissing } from '../files/files.ts';
import type { Stores } from '../store/stores.ts';
import { segmentEvents } from './events.ts';
import { FileDamaged } from './files.ts';
import type { LogCut } from './keep-log.ts';
import { imageOfStream, liveObjectsOf } from './live-objects.ts';
import type { Manifest } from './manifest.ts';
import {
  copyOut,
  keepObjectList,
  keptObjects,
  type LiveObject,
  objectPath,
  requireObject,
} from './objects.ts';
import type { BackupProgress } from './progress.ts';

interface Ports {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly stores: Stores;
}

interface KeepObjectsOptions {
  readonly directory: string;
  readonly before: Manifest | undefined;
  readonly run: number;
  /** Whose streams have gone on since the run before. */
  readonly images: readonly string[];
  readonly cut: () => LogCut;
  /** Moves the cut to the log's head of now; gives whose streams have gone on. */
  readonly extend: () => Promise<readonly string[]>;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
}

/** Streams read at once. */
const readers = 8;
/** How often the log is cut anew when bytes go while they are copied. */
const mostRounds = 5;

/**
 * Copies the bytes of all images that the log has at its cut. What somebody deletes meanwhile is named by a later cut no
 * more: then that one is taken. Bytes that are in no store although the newest log names them are told as missing.
 */
export async function keepObjects(
  { log, stores }: Ports,
  { directory, before, run, images, cut, extend, signal, onProgress }: KeepObjectsOptions,
): Promise<{ readonly list: Manifest['objects']; readonly copied: number }> {
  const live = new Map<string, readonly LiveObject[]>();
  const known = new Set<string>();
  for await (const object of keptObjects(directory, before)) {
    live.set(object.imageId, [...(live.get(object.imageId) ?? []), object]);
    if (!object.missing) known.add(object.key);
  }
  // A backup without bytes so far knows nothing of images that rest.
  let touched: readonly string[] =
    before !== undefined && before.objects === null ? await allImages(directory, cut()) : images;
  let copied = 0;
  for (let round = 1; ; round += 1) {
    await forEach(touched, async (imageId) => {
      signal.throwIfAborted();
      const objects = await liveObjectsOf(log, imageId, cut().position);
      if (objects.length > 0) live.set(imageId, objects);
      else live.delete(imageId);
    });
    const failed = new Map<string, string>();
    const all = [...live.values()].flat();
    for (const [at, object] of all.entries()) {
      onProgress({ what: 'objects', done: at, of: all.length });
      if (await isThere(directory, object, known.has(object.key), signal)) continue;
      try {
        await copyOut(directory, object, stores, signal);
        copied += 1;
        known.add(object.key);
      } catch (error) {
        signal.throwIfAborted();
        failed.set(object.key, `image ${object.imageId}: ${(error as Error).message}`);
      }
    }
    touched = failed.size > 0 && round < mostRounds ? await extend() : [];
    if (touched.length > 0) continue;
    const found = all.map(
      ({ missing: _, ...object }): LiveObject =>
        failed.has(object.key) ? { ...object, missing: true } : object,
    );
    const list = await keepObjectList(directory, run, found);
    return { list: { ...list, missing: [...failed.values()] }, copied };
  }
}

/** Of every event that is in the backup. */
async function allImages(directory: string, { segments }: LogCut): Promise<readonly string[]> {
  const images = new Set<string>();
  for (const segment of segments)
    for (const { streamId } of await segmentEvents(directory, segment)) {
      const image = imageOfStream(streamId);
      if (image !== undefined) images.add(image);
    }
  return [...images];
}

/** What no finished run has counted is looked at: a run that was killed may have left it. */
async function isThere(
  directory: string,
  object: LiveObject,
  wasCounted: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const path = objectPath(directory, object.key);
  const found = await unlessMissing(stat(path));
  if (found === undefined) return false;
  if (wasCounted && found.size === object.size) return true;
  try {
    await requireObject(path, object, signal);
    return true;
  } catch (error) {
    if (!(error instanceof FileDamaged)) throw error;
    await rm(path);
    return false;
  }
}

/** At most so many at once. */
async function forEach<Item>(
  items: readonly Item[],
  step: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const one = async (): Promise<void> => {
    for (const item of left) await step(item);
  };
  await Promise.all(Array.from({ length: readers }, one));
}
