import { namesIn, removeIfEmpty } from './files.ts';

/** Names in a directory; one without any is removed, which harms nobody who makes something `inDirectory`. */
export async function namesOrRemoved(directory: string): Promise<readonly string[]> {
  const names = await namesIn(directory);
  // One that cannot be removed, or is none, is in nobody's way.
  if (names.length === 0) await removeIfEmpty(directory).catch(() => false);
  return names;
}
