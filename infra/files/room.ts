import { statfs } from 'node:fs/promises';

/** Keeps writers from filling a file system to its last byte, which others on it, a Postgres perhaps, would not survive. */
export interface Room {
  /** Resolves where `bytes` more may be written; rejects with ENOSPC, as the file system would later. */
  take(bytes: number): Promise<void>;
}

/** Bytes. */
export interface FileSystemSize {
  readonly total: number;
  readonly free: number;
}

const mostReservedBytes = 1024 ** 3;
const reservedShare = 0.05;
/** Others write, too: what was free this long ago may not be any more. */
const validMs = 250;

/** Leaves 5 % of a directory's file system free, but no more than 1 GiB. All writers of a process share one. */
export function reservedRoom(
  directory: string,
  sizeOf: (directory: string) => Promise<FileSystemSize> = sizeOfFileSystem,
): Room {
  let left = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<void> => {
    const { total, free } = await sizeOf(directory);
    // Some network file systems do not tell their size.
    const reserved = Math.min(mostReservedBytes, total * reservedShare);
    left = total > 0 ? free - reserved : Number.POSITIVE_INFINITY;
    lookedAt = performance.now();
  };
  return {
    async take(bytes) {
      if (bytes > left || performance.now() - lookedAt > validMs) await look();
      if (bytes > left)
        throw Object.assign(new Error(`the rest of the disk is reserved: ${directory}`), {
          code: 'ENOSPC',
        });
      left -= bytes;
    },
  };
}

async function sizeOfFileSystem(directory: string): Promise<FileSystemSize> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return { total: blocks * bsize, free: bavail * bsize };
}
