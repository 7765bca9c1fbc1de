import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  readonly directory: string;
  unmount(): Promise<void>;
}

/** A file system of its own of `mebibytes`; undefined where this user may not mount one. */
export async function smallDisk(mebibytes: number): Promise<SmallDisk | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'daguerre-test', directory]);
  } catch (error) {
    await rm(directory, { recursive: true });
    if (!/superuser|permission denied|not permitted/i.test(String(error))) throw error;
    return undefined;
  }
  return {
    directory,
    async unmount() {
      await run('umount', ['-l', directory]);
      await rm(directory, { recursive: true });
    },
  };
}
