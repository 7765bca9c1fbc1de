import { open } from 'node:fs/promises';
import type { Room } from '../files/room.ts';
import { compressions, headBytes } from './compression.ts';
import { type Plugin, PluginRefused } from './plugin.ts';
import { writeSparse } from './sparse-file.ts';

export interface DecompressionLimits {
  /** Bytes that may come out. */
  readonly sizeCap: number;
  /** How many times as many bytes may come out as go in. */
  readonly mostRatio: number;
}

/** So much may come out whatever went in. */
const smallBytes = 64 * 1024 * 1024;

/**
 * Makes of a file that is compressed the one within. As in Glance it goes by the content, leaves images alone whose
 * `container_format` is `compressed`, and changes nothing of the image's record. Parts of Amazon images are left alone, too:
 * a ramdisk is compressed because it has to be.
 */
export function decompression({ sizeCap, mostRatio }: DecompressionLimits, room: Room): Plugin {
  return {
    name: 'image_decompression',
    async run(material, { newFile, signal }) {
      if (!['bare', 'ovf', 'ova', 'docker'].includes(material.containerFormat)) return material;
      const head = await headOf(material.path);
      const compression = compressions.find(({ begins }) => begins(head));
      if (compression === undefined) return material;
      const most = Math.max(smallBytes, material.size * mostRatio);
      const grow = (bytes: number): void => {
        signal.throwIfAborted();
        if (bytes > sizeCap)
          throw new PluginRefused(
            'too-large',
            `The image within the ${compression.name} file has more than the ${sizeCap} bytes that an image may have`,
          );
        if (bytes > most)
          throw new PluginRefused(
            'too-large',
            `More than ${mostRatio} times as many bytes come out of the ${compression.name} file as it has: ` +
              'import the image uncompressed, or in a format that leaves out what is empty (qcow2)',
          );
      };
      const path = await newFile();
      const size = await writeSparse(path, compression.expand(material.path, signal), room, grow);
      return { ...material, path, size };
    },
  };
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await file.read(head, 0, headBytes, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
