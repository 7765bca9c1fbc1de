import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../../infra/files/files.ts';

/** What is in the files of an export, closed or not, in the order of their names. They are renamed while they are read. */
export async function exportedText(directory: string): Promise<string> {
  for (;;)
    try {
      const names = (await readdir(directory)).filter((name) => /\.(ndjson|part)$/.test(name));
      const texts = names.sort().map((name) => readFile(join(directory, name), 'utf8'));
      return (await Promise.all(texts)).join('');
    } catch (error) {
      if (!isMissing(error)) throw error;
      if ((await readdir(directory).catch(() => [])).length === 0) return '';
    }
}
