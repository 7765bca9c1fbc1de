import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing, makeDirectories, sync } from '../files/files.ts';
import { BadKey, type SigningKey, signingKeyFrom } from './keys.ts';

/** The keys that sign now: the newest first, older ones until a moment. */
export interface SigningKeys {
  readonly newest: SigningKey;
  readonly older: readonly { readonly key: SigningKey; readonly until: Date }[];
}

/** The file is not as a key file must be; the message names it. */
export class KeyFileRefused extends Error {
  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.name = 'KeyFileRefused';
  }
}

const readableByOthers = 0o077;

/**
 * One key a line, the newest first; behind an older one stands until when it signs, too. Undefined where there is no
 * file. Throws `KeyFileRefused` where it is malformed, or open to others than its owner.
 */
export async function readKeyFile(path: string): Promise<SigningKeys | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & readableByOthers) !== 0)
      throw new KeyFileRefused(path, 'others than its owner may read it; chmod 600 it');
    return keysFrom(path, await readFile(path, 'utf8'));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function keysFrom(path: string, text: string): SigningKeys {
  const [first = '', ...rest] = text.split('\n').filter((line) => line.trim() !== '');
  try {
    return {
      newest: signingKeyFrom(first),
      older: rest.map((line) => {
        const [key = '', until = ''] = line.split(' until ');
        return { key: signingKeyFrom(key), until: new Date(until) };
      }),
    };
  } catch (error) {
    if (!(error instanceof BadKey)) throw error;
    throw new KeyFileRefused(path, error.message);
  }
}

const textOf = ({ newest, older }: SigningKeys): string =>
  [newest.secret, ...older.map(({ key, until }) => `${key.secret} until ${until.toISOString()}`)]
    .map((line) => `${line}\n`)
    .join('');

/** Whole or not at all, durable, and for its owner alone. */
export async function writeKeyFile(path: string, keys: SigningKeys): Promise<void> {
  await makeDirectories(dirname(path), 0o700);
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(textOf(keys));
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
