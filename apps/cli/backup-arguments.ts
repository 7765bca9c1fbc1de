import { UsageError } from './command.ts';

/** What the command line says, apart from settings. */
export interface BackupArguments {
  /** What stands before the first flag. */
  readonly words: readonly string[];
  readonly bytes: boolean;
  readonly keys: readonly string[];
  readonly settings: readonly string[];
}

export function backupArguments(args: readonly string[]): BackupArguments {
  const left = [...args];
  const words: string[] = [];
  const keys: string[] = [];
  const settings: string[] = [];
  let bytes = false;
  while (left[0] !== undefined && !left[0].startsWith('-')) words.push(String(left.shift()));
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const key = arg === '--key' ? left.shift() : /^--key=(.*)$/s.exec(arg)?.[1];
    if (arg === '--key' && key === undefined) throw new UsageError('--key needs a value');
    if (key !== undefined) keys.push(key);
    else if (arg === '--bytes') bytes = true;
    else settings.push(arg);
  }
  return { words, bytes, keys, settings };
}
