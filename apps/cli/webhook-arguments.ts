import { UsageError } from './command.ts';

const valued = ['project', 'type', 'image', 'signature', 'after', 'description', 'event'] as const;
const switches = ['all-projects', 'failed'] as const;
type Valued = (typeof valued)[number];
type Switch = (typeof switches)[number];

/** What the command line says, apart from settings. */
export interface WebhookArguments {
  /** What stands before the first flag. */
  readonly words: readonly string[];
  all(name: Valued): readonly string[];
  last(name: Valued): string | undefined;
  has(name: Switch): boolean;
  readonly settings: readonly string[];
}

export function webhookArguments(args: readonly string[]): WebhookArguments {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  const settings: string[] = [];
  const left = [...args];
  while (left[0] !== undefined && !left[0].startsWith('-')) words.push(String(left.shift()));
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const isValued = (valued as readonly string[]).includes(name);
    if (!isValued && !(switches as readonly string[]).includes(name)) {
      settings.push(arg);
      continue;
    }
    const value = isValued ? (inline ?? left.shift()) : '';
    if (value === undefined) throw new UsageError(`--${name} needs a value`);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  return {
    words,
    settings,
    all: (name) => given.get(name) ?? [],
    last: (name) => given.get(name)?.at(-1),
    has: (name) => given.has(name),
  };
}
