import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { signsName } from '../../infra/shared-directories/signs.ts';
import { markName } from '../../infra/store/directory-mark.ts';

/** Every file below a directory, by its path from there; directories, the marks of stores and signs of life count for nothing. */
export async function filesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true }).catch((error) => {
      if (error.code === 'ENOENT') return []; // swept at this moment
      throw error;
    });
    for (const entry of entries)
      if (entry.name === signsName) continue;
      else if (entry.isDirectory()) await walk(join(at, entry.name));
      else if (entry.name !== markName) found.push(relative(directory, join(at, entry.name)));
  };
  await walk(directory);
  return found;
}
