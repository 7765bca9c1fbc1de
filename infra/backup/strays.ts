import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { FileDamaged } from './files.ts';
import { lockName } from './lock.ts';
import { filesOf, type Manifest, manifestName } from './manifest.ts';
import { keptObjects } from './objects.ts';

/** Files in the directory of a backup that are named nowhere in it, sorted. What a run writes at this moment is among them. */
export async function straysIn(directory: string, manifest: Manifest): Promise<readonly string[]> {
  const known = new Set([manifestName, lockName, ...filesOf(manifest)]);
  const objects = await objectsOf(directory, manifest);
  const isKnown = (file: string): boolean =>
    known.has(file) || (file.startsWith('bytes/') && (objects === undefined || objects.has(file)));
  return (await filesIn(directory)).filter((file) => !isKnown(file));
}

/** Undefined where the list of them is damaged, which is told as such: then no bytes can be called astray. */
async function objectsOf(
  directory: string,
  manifest: Manifest,
): Promise<ReadonlySet<string> | undefined> {
  const objects = new Set<string>();
  try {
    for await (const { key, missing } of keptObjects(directory, manifest))
      if (!missing) objects.add(`bytes/${key}`);
    return objects;
  } catch (error) {
    if (error instanceof FileDamaged) return undefined;
    throw error;
  }
}

/** Relative to the directory. */
async function filesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
    .sort();
}
