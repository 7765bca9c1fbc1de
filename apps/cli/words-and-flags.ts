import { UsageError } from './command.ts';

/** What a command line says, apart from settings. */
export interface WordsAndFlags<Valued extends string, Switch extends string> {
  /** What stands before the first flag. */
  readonly words: readonly string[];
  all(name: Valued): readonly string[];
  last(name: Valued): string | undefined;
  has(name: Switch): boolean;
  readonly settings: readonly string[];
}

/** Reads a command's own flags, with values or as switches; every other is taken for a setting. */
export const wordsAndFlags =
  <const Valued extends string, const Switch extends string>({
    valued,
    switches,
    short = {},
  }: {
    readonly valued: readonly Valued[];
    readonly switches: readonly Switch[];
    /** Flags of one letter, by what they stand for. */
    readonly short?: Readonly<Record<string, Valued>>;
  }) =>
  (args: readonly string[]): WordsAndFlags<Valued, Switch> => {
    const given = new Map<string, string[]>();
    const words: string[] = [];
    const settings: string[] = [];
    const left = args.map((arg) => (Object.hasOwn(short, arg) ? `--${short[arg]}` : arg));
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
  };
