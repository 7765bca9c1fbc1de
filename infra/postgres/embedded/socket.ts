import { createHash } from 'node:crypto';
import { chown, lstat, mkdir, realpath } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { superuser } from './cluster.ts';
import { nobody, type RunAs } from './run-as.ts';

/** Longest address of a Unix socket: 108 bytes in Linux with the closing zero, 104 elsewhere. */
const maxAddressBytes = process.platform === 'linux' ? 107 : 103;

/** Made at the first start. */
export const database = 'daguerre';

const socketName = '.s.PGSQL.5432';

export function socketUrl(socketDirectory: string, database: string): string {
  return `postgresql://${superuser}@localhost/${database}?host=${encodeURIComponent(socketDirectory)}`;
}

/**
 * A directory that only we may enter, since the socket asks for no password: in the data directory, or under the
 * system's temporary one where the address would be too long. The same at each start, so that URLs stay good.
 */
export async function socketDirectory(dataDir: string, run: RunAs): Promise<string> {
  const inside = path.join(dataDir, 'postgres-socket');
  const directory =
    Buffer.byteLength(path.join(inside, socketName)) <= maxAddressBytes
      ? inside
      : path.join(os.tmpdir(), `daguerre-${digest(await realpath(dataDir))}`);
  await mkdir(directory, { mode: 0o700 }).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(directory);
  const mine = process.getuid?.() ?? found.uid;
  const trusted = mine === 0 ? [mine, nobody, run.uid] : [mine];
  if (!found.isDirectory() || !trusted.includes(found.uid) || (found.mode & 0o077) !== 0)
    throw new Error(
      `${directory} must be a directory that only its owner, we, may enter: remove it`,
    );
  if (found.uid !== run.uid) await chown(directory, run.uid, run.gid);
  return directory;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
