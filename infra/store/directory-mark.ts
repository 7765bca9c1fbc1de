import { randomUUID } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, sync, unlessMissing } from '../files/files.ts';

/** Lies in the directory of each store of files, and names the store. */
export const markName = '.daguerre-store';

/**
 * The id of the store whose bytes lie in this directory; `id` from now on if there was none yet. Bytes are known by their
 * store and key, so one that is given another id or another's directory has none of the bytes that images name.
 */
export async function markedFor(directory: string, id: string): Promise<string> {
  const path = join(directory, markName);
  const marked = await markIn(directory);
  if (marked !== undefined) return marked;
  const part = `${path}.part-${randomUUID()}`;
  try {
    await writeFile(part, `${id}\n`, { flush: true });
    await link(part, path);
    await sync(directory);
  } catch {
    // Another process was first, or a disk that is full or closed takes no mark: then the next start tries again.
  } finally {
    await unlessMissing(unlink(part)).catch(() => {});
  }
  return (await markIn(directory)) ?? id;
}

/** Undefined where there is none, or no such directory. */
export async function markIn(directory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(directory, markName), 'utf8')).trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
