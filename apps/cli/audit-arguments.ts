import { UsageError } from './command.ts';

const valued = ['key', 'seen', 'since', 'from', 'to', 'output', 'overlap-hours'] as const;
const switches = ['all', 'json', 'lost'] as const;
type Valued = (typeof valued)[number];
type Switch = (typeof switches)[number];

/** What the command line says, apart from settings. */
export interface AuditArguments {
  /** What stands before the first flag. */
  readonly words: readonly string[];
  all(name: Valued): readonly string[];
  last(name: Valued): string | undefined;
  has(name: Switch): boolean;
  readonly settings: readonly string[];
}

export function auditArguments(args: readonly string[]): AuditArguments {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  const settings: string[] = [];
  const left = args.map((arg) => (arg === '-o' ? '--output' : arg));
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
