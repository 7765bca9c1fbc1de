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

/** Durable, and never half written. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await makeDirectory(dirname(path));
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await sync(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
}
