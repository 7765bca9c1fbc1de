import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesIn, removeIfEmpty } from '../files/files.ts';
import { filesOf, type Manifest } from './manifest.ts';
import { keptObjects } from './objects.ts';

/** Removes what the manifest names no more, and what runs that were killed have left. */
export async function prune(directory: string, manifest: Omit<Manifest, 'format'>): Promise<void> {
  const named = new Set(filesOf(manifest));
  for (const folder of ['log', 'beside'])
    for (const name of await namesIn(join(directory, folder)))
      if (!named.has(`${folder}/${name}`)) await rm(join(directory, folder, name));
  if (manifest.objects === null) return;
  const keys = new Set<string>();
  for await (const { key, missing } of keptObjects(directory, manifest))
    if (!missing) keys.add(key);
  for await (const key of filesUnder(join(directory, 'bytes'))) {
    if (keys.has(key)) continue;
    const path = join(directory, 'bytes', key);
    await rm(path);
    for (let at = dirname(path); at.length > directory.length; at = dirname(at))
      if (!(await removeIfEmpty(at))) break;
  }
}

/** `{image}/{upload}/{epoch}`, and parts of such. */
async function* filesUnder(directory: string): AsyncGenerator<string> {
  for (const image of await namesIn(directory))
    for (const upload of await namesIn(join(directory, image)))
      for (const name of await namesIn(join(directory, image, upload)))
        yield `${image}/${upload}/${name}`;
}
