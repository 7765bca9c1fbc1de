import { parseArgs } from 'node:util';
import { configFrom, type Environment } from '../../../infra/config/config.ts';
import { UsageError } from '../command.ts';
import { type Cloud, cloudFrom } from './cloud.ts';

const cloudOptions = {
  url: { type: 'string' },
  token: { type: 'string' },
  'os-cloud': { type: 'string' },
  'data-dir': { type: 'string' },
  config: { type: 'string' },
} as const;

export const cloudHelp = `Which image service, and who asks:
  --url URL --token TOKEN   say so; identity none takes tokens of the form user:project:role,role
  --os-cloud NAME           as clouds.yaml has it
  OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME ..., or OS_IMAGE_ENDPOINT_OVERRIDE with OS_TOKEN
  --data-dir DIR            where none of these is: the one that runs on this data directory
`;

/** The words and options of a command line; throws `UsageError` for what it does not know. */
export function argumentsFrom<
  const Options extends Readonly<
    Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>
  >,
>(args: readonly string[], options: Options, environment: Environment) {
  const parsed = parsedOr(() =>
    parseArgs({
      args: [...args],
      options: { ...cloudOptions, ...options },
      allowPositionals: true,
    }),
  );
  const values = parsed.values as Readonly<
    Record<string, string | boolean | (string | boolean)[] | undefined>
  >;
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const list = (name: string): readonly string[] => {
    const value = values[name];
    return Array.isArray(value) ? value.map(String) : [];
  };
  return {
    words: parsed.positionals,
    text,
    list,
    has: (name: string): boolean => values[name] === true,
    cloud(): Cloud {
      const settings = ['data-dir', 'config'].flatMap((name) => {
        const value = text(name);
        return value === undefined ? [] : [`--${name}`, value];
      });
      const dataDir = configFrom(settings, environment)['data-dir'];
      const flags = { url: text('url'), token: text('token'), osCloud: text('os-cloud'), dataDir };
      return cloudFrom(flags, environment);
    },
  };
}

export type Arguments = ReturnType<typeof argumentsFrom>;

function parsedOr<Parsed>(parse: () => Parsed): Parsed {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; --help tells more`);
  }
}
