import { hash, randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, makeDirectory, sync } from '../files/files.ts';

/** A file of a backup, as the manifest names it. */
export interface KeptFile {
  /** Relative to the backup. */
  readonly file: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** A file of a backup is not what was written; the message names it and says how it differs. */
export class FileDamaged extends Error {
  constructor(file: string, how: string) {
    super(`${file} ${how}`);
    this.name = 'FileDamaged';
  }
}

export const sha256Of = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

/** Whole or not at all, durable, and for its owner alone: there are persons and secrets in a backup. */
export async function keepFile(
  directory: string,
  file: string,
  content: Uint8Array,
): Promise<KeptFile> {
  const path = join(directory, file);
  await makeDirectory(dirname(path));
  const draft = `${path}.part-${randomUUID()}`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
    await sync(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
  return { file, bytes: content.length, sha256: sha256Of(content) };
}

/** What was kept. Throws `FileDamaged` where it is not there, or is something else. */
export async function keptFile(directory: string, kept: KeptFile): Promise<Buffer> {
  let content: Buffer;
  try {
    content = await readFile(join(directory, kept.file));
  } catch (error) {
    if (isMissing(error)) throw new FileDamaged(kept.file, 'is missing');
    throw error;
  }
  if (content.length !== kept.bytes)
    throw new FileDamaged(kept.file, `has ${content.length} bytes, ${kept.bytes} were written`);
  if (sha256Of(content) !== kept.sha256)
    throw new FileDamaged(kept.file, 'is not what was written: its SHA-256 differs');
  return content;
}
