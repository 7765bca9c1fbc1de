import { type FileHandle, open } from 'node:fs/promises';
import type { OpenFile } from '../../infra/files/files.ts';

/** What goes wrong; counters go down as it does. */
export interface FileFaults {
  /** Bytes that can still be written before ENOSPC. */
  roomBytes?: number;
  /** How many more fsyncs fail with EIO. */
  failingSyncs?: number;
  /** No single write takes more bytes. */
  longestWrite?: number;
  /** Told of every fsync that is about to happen. */
  onSync?: (path: string) => void;
}

const fault = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

/** Real files on which `faults` happen. */
export function faultyFiles(faults: FileFaults): OpenFile {
  return async (path, flags) => faulty(await open(path, flags), path, faults);
}

function faulty(file: FileHandle, path: string, faults: FileFaults): FileHandle {
  const sync = async (): Promise<void> => {
    faults.onSync?.(path);
    if (faults.failingSyncs !== undefined && faults.failingSyncs > 0) {
      faults.failingSyncs -= 1;
      throw fault('EIO');
    }
    await file.sync();
  };
  const writev = async (chunks: readonly Uint8Array[], position?: number) => {
    const whole = Buffer.concat(chunks);
    const most = Math.min(faults.longestWrite ?? whole.length, faults.roomBytes ?? whole.length);
    if (most === 0 && whole.length > 0) throw fault('ENOSPC');
    const { bytesWritten } = await file.write(whole, 0, Math.min(most, whole.length), position);
    if (faults.roomBytes !== undefined) faults.roomBytes -= bytesWritten;
    return { bytesWritten, buffers: chunks };
  };
  return new Proxy(file, {
    get(target, name) {
      if (name === 'sync') return sync;
      if (name === 'writev') return writev;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
