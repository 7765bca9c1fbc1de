import type { Environment } from '../../infra/config/config.ts';

/** One command of the operators' tool. */
export interface Command {
  readonly name: string;
  /** One line for `daguerre --help`. */
  readonly summary: string;
  /** Gives the exit code: 0 done, 1 failed, 2 wrongly called. */
  run(args: readonly string[], environment: Environment): Promise<number>;
}

/** The command was called wrongly; the message says how it is called. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Takes a command's own switches (`--json`) out of its arguments; what is left are settings. */
export function switches<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
): { readonly rest: readonly string[]; readonly given: Readonly<Record<Name, boolean>> } {
  const given = Object.fromEntries(names.map((name) => [name, args.includes(`--${name}`)]));
  return {
    rest: args.filter((arg) => !names.some((name) => arg === `--${name}`)),
    given: given as Record<Name, boolean>,
  };
}

export const asksForHelp = (args: readonly string[]): boolean =>
  args.includes('--help') || args.includes('-h');
