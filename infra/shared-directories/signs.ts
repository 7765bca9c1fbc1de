import { stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inDirectory, isMissing, namesIn, removeIfEmpty, unlessMissing } from '../files/files.ts';

export const signsName = '.daguerre-here';

/** Longer than any start takes. */
const keptMs = 3_600_000;

/** `mark` is a file that is in the directory, unless that is not mounted. */
export interface MarkedDirectory {
  readonly directory: string;
  readonly mark?: string;
}

/**
 * Signs of life in a directory, which who really has the same directory sees, whatever it is called there:
 *
 *     {directory}/.daguerre-here/{owner}
 */
export function signsIn({ directory, mark }: MarkedDirectory) {
  const place = join(directory, signsName);
  const signOf = (owner: string): string => join(place, owner);
  return {
    /** Whoever looks for it after this finds it, over NFS too: nobody can have looked before. */
    async leave(owner: string): Promise<void> {
      if (mark !== undefined) await stat(join(directory, mark));
      await inDirectory(place, () => writeFile(signOf(owner), ''));
    },
    async shows(owner: string): Promise<boolean> {
      try {
        await stat(signOf(owner));
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    },
    async remove(owner: string): Promise<void> {
      await unlessMissing(unlink(signOf(owner)));
      await removeIfEmpty(place);
    },
    /** Those of the long dead. */
    async removeAllBut(owners: readonly string[]): Promise<void> {
      for (const owner of await namesIn(place)) {
        if (owners.includes(owner)) continue;
        const found = await unlessMissing(stat(signOf(owner)));
        if (found !== undefined && Date.now() - found.mtimeMs > keptMs)
          await unlessMissing(unlink(signOf(owner)));
      }
    },
  };
}
