import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory, sync } from '../../files/files.ts';
import { type CheckpointTarget, nameOf, newestName } from './target.ts';

/** Another file system, best one that can only be added to. */
export const directoryTarget = (directory: string): CheckpointTarget => ({
  name: directory,
  async send({ size, note }) {
    await writeWhole(join(directory, nameOf(size)), note);
    await writeWhole(join(directory, newestName), note);
  },
  close() {},
});

/** Never half written, and durable where that is worth its wait. */
export async function writeWhole(
  path: string,
  text: string,
  { isDurable = true }: { readonly isDurable?: boolean } = {},
): Promise<void> {
  await makeDirectory(dirname(path));
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx');
    try {
      await file.writeFile(text);
      if (isDurable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    if (isDurable) await sync(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
}
