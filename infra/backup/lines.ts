import { promisify } from 'node:util';
import { gunzip as gunzipWith, gzip as gzipWith } from 'node:zlib';
import { FileDamaged, type KeptFile, keepFile, keptFile } from './files.ts';

const gzip = promisify(gzipWith);
const gunzip = promisify(gunzipWith);

/** A file ends with the line that reaches one of these. */
export const fileLimits = { lines: 10_000, characters: 16 * 1024 * 1024 };

/** Lines in the pieces that become a file each; an empty piece is never given. */
export async function* chunks(
  lines: AsyncIterable<string>,
  limits = fileLimits,
): AsyncGenerator<readonly string[]> {
  let chunk: string[] = [];
  let characters = 0;
  for await (const line of lines) {
    chunk.push(line);
    characters += line.length;
    if (chunk.length < limits.lines && characters < limits.characters) continue;
    yield chunk;
    [chunk, characters] = [[], 0];
  }
  if (chunk.length > 0) yield chunk;
}

/** A document a line, compressed with gzip: any tool reads it. */
export async function keepLines(
  directory: string,
  file: string,
  lines: readonly string[],
): Promise<KeptFile> {
  const text = lines.map((line) => `${line}\n`).join('');
  return keepFile(directory, file, await gzip(text, { level: 6 }));
}

/** Throws `FileDamaged` where the file is not what was written. */
export async function keptLines(directory: string, kept: KeptFile): Promise<readonly string[]> {
  const content = await keptFile(directory, kept);
  try {
    return (await gunzip(content)).toString('utf8').split('\n').slice(0, -1);
  } catch {
    throw new FileDamaged(kept.file, 'cannot be uncompressed');
  }
}
