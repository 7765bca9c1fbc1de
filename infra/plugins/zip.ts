import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { type Entry, open, type ZipFile } from 'yauzl';
import { PluginRefused } from './plugin.ts';

export interface ZipMember {
  readonly stream: Readable;
  close(): void;
}

/** The one file in an archive. Rejects with `PluginRefused` where there is none, or another beside it. */
export async function memberOf(path: string): Promise<ZipMember> {
  const archive = await opened(path);
  try {
    const entry = await onlyFile(archive);
    if (entry.isEncrypted())
      throw new PluginRefused(
        'format-refused',
        'The zip archive is encrypted: make one that is not',
      );
    const read = promisify<Entry, Readable>(archive.openReadStream.bind(archive));
    const stream = await read(entry);
    return { stream, close: () => archive.close() };
  } catch (error) {
    archive.close();
    if (error instanceof PluginRefused) throw error;
    throw unreadable(error);
  }
}

const unreadable = (cause: unknown): PluginRefused =>
  new PluginRefused(
    'format-refused',
    'The zip archive is damaged, or made in a way that is not known: make it again',
    cause,
  );

function opened(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false, decodeStrings: false };
    open(path, options, (error, archive) =>
      archive === undefined || error ? reject(unreadable(error)) : resolve(archive),
    );
  });
}

/** Directories do not count. Their names do not matter either: nothing is ever called by them. */
function onlyFile(archive: ZipFile): Promise<Entry> {
  return new Promise((resolve, reject) => {
    let found: Entry | undefined;
    archive.on('error', reject);
    archive.on('end', () => (found === undefined ? reject(howMany('no')) : resolve(found)));
    archive.on('entry', (entry: Entry) => {
      const isDirectory = Buffer.from(entry.fileName).at(-1) === 0x2f;
      if (!isDirectory && found !== undefined) {
        reject(howMany('several'));
        return;
      }
      if (!isDirectory) found = entry;
      archive.readEntry();
    });
    archive.readEntry();
  });
}

const howMany = (count: string): PluginRefused =>
  new PluginRefused(
    'format-refused',
    `There are ${count} files in the zip archive: make one with the image alone in it`,
  );
