import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import type { z } from 'zod';
import { type SettingName, settings } from './settings.ts';
import { firstWritable, type StoreSettings, storeProblems, storesFrom } from './store-settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What every process is told. Paths are absolute. */
export type Config = Omit<Parsed, 'stores' | 'default-store'> & {
  readonly 'store-dir': string;
  readonly 'staging-dir': string;
  readonly stores: readonly StoreSettings[];
  readonly 'default-store': string;
};
type Parsed = {
  readonly [Name in SettingName]: z.output<(typeof settings)[Name]['schema']>;
};

/** The operator's mistakes, one a line, each naming the setting and where it came from. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

const names = Object.keys(settings) as SettingName[];
export const environmentName = (name: string): string =>
  `DAGUERRE_${name.toUpperCase().replaceAll('-', '_')}`;
const isSwitch = (name: SettingName): boolean => !('placeholder' in settings[name]);
const inFileOnly = (name: SettingName): boolean => 'inFileOnly' in settings[name];

interface Given {
  readonly value: unknown;
  /** How the operator wrote it: `--port`, `DAGUERRE_PORT`, `port in FILE`. */
  readonly written: string;
}

/** Flags of `parseArgs` for all settings, to join with a command's own. */
export const settingOptions = Object.fromEntries([
  ...names
    .filter((name) => !inFileOnly(name))
    .map((name) => [name, { type: isSwitch(name) ? 'boolean' : 'string' }] as const),
  ['config', { type: 'string' }] as const,
]) as Record<string, { type: 'boolean' | 'string' }>;

/**
 * A flag wins over the environment, the environment over the file (`--config FILE` or `DAGUERRE_CONFIG`, YAML).
 * Throws `ConfigError` with every problem at once: unknown names and wrong values.
 */
export function configFrom(args: readonly string[], environment: Environment): Config {
  const problems: string[] = [];
  const flags = flagsFrom(args, problems);
  const file = fileFrom(flags.config ?? environment.DAGUERRE_CONFIG, problems);
  const base = defaultDataDir(environment);
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const given = firstGiven(name, flags, environment, file);
    const parsed = settings[name].schema.safeParse(
      given?.value ?? (name === 'data-dir' ? base : undefined),
    );
    if (parsed.success) values[name] = parsed.data;
    else problems.push(problemWith(name, given, parsed.error));
  }
  problems.push(...unknownNames(environment, file));
  if (problems.length > 0) throw new ConfigError(problems);
  const dataDir = resolve(String(values['data-dir']));
  const storeDir = resolve(String(values['store-dir'] ?? join(dataDir, 'store')));
  const stores = storesFrom(values.stores as Parsed['stores'], { dataDir, storeDir });
  const defaultStore = (values as Parsed)['default-store'] ?? firstWritable(stores);
  const config = {
    ...values,
    'data-dir': dataDir,
    'store-dir': storeDir,
    'staging-dir': resolve(String(values['staging-dir'] ?? join(dataDir, 'staging'))),
    stores,
    'default-store': defaultStore,
  } as Config;
  const unfit = storeProblems(stores, defaultStore);
  if (unfit.length > 0) throw new ConfigError(unfit);
  guardLoopback(config);
  guardKeystone(config);
  guardAudit(config);
  return config;
}

/** The same settings as an environment, for a child process. */
export const environmentOf = (config: Config): Record<string, string> =>
  Object.fromEntries(
    names
      .filter((name) => config[name] !== undefined)
      .map((name) => [environmentName(name), asText(config[name])]),
  );

/** Maps, and lists of them, as JSON, all else as an operator would write it. */
const asText = (value: unknown): string =>
  (Array.isArray(value) ? value : [value]).some((item) => typeof item === 'object')
    ? JSON.stringify(value)
    : String(value);

/** `--help` of every setting, one a line with its default. */
export function settingsHelp(): string {
  const rows = names.map((name) => {
    const { help, schema } = settings[name];
    const placeholder = 'placeholder' in settings[name] ? ` ${settings[name].placeholder}` : '';
    const parsed = schema.safeParse(undefined);
    const byDefault =
      name === 'data-dir'
        ? '$XDG_DATA_HOME/daguerre, else ~/.local/share/daguerre'
        : parsed.success && parsed.data !== undefined && !isSwitch(name)
          ? String(parsed.data)
          : '';
    return [
      inFileOnly(name) ? `  ${name}:${placeholder}` : `  --${name}${placeholder}`,
      byDefault === '' ? help : `${help} [${byDefault}]`,
    ] as const;
  });
  const configRow = ['  --config FILE', 'YAML file with any of these settings'] as const;
  const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
  return [...rows, configRow].map(([flag, help]) => `${flag.padEnd(width)}${help}`).join('\n');
}

function flagsFrom(
  args: readonly string[],
  problems: string[],
): Record<string, string | boolean | undefined> & { config?: string } {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: settingOptions,
    strict: false,
    tokens: true,
  });
  const unknown = new Set<number>();
  const lacking = new Set<string>();
  for (const token of tokens) {
    const { kind, index } = token;
    if (kind === 'option' && !Object.hasOwn(settingOptions, token.name)) {
      unknown.add(index);
      problems.push(`${token.rawName}: there is no such setting`);
    } else if (kind === 'option' && lacksValue(token)) {
      lacking.add(token.name);
      problems.push(`--${token.name}: needs a value`);
    } else if (kind === 'positional' && !unknown.has(index - 1))
      problems.push(`${token.value}: settings are given as --name value`);
  }
  const given = Object.entries(values).filter(([name]) => !lacking.has(name));
  return Object.fromEntries(given) as never;
}

const lacksValue = (token: {
  readonly name: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}): boolean =>
  settingOptions[token.name]?.type === 'string' &&
  (token.value === undefined || (!token.inlineValue && token.value.startsWith('--')));

function fileFrom(
  path: string | undefined,
  problems: string[],
): { readonly path: string; readonly values: Readonly<Record<string, unknown>> } {
  if (path === undefined) return { path: '', values: {} };
  try {
    const parsed: unknown = parse(readFileSync(path, 'utf8')) ?? {};
    if (typeof parsed === 'object' && !Array.isArray(parsed))
      return { path, values: parsed as Record<string, unknown> };
    problems.push(`${path}: must hold settings as \`name: value\` lines`);
  } catch (error) {
    problems.push(`--config ${path}: ${(error as Error).message}`);
  }
  return { path, values: {} };
}

function firstGiven(
  name: SettingName,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
  file: { readonly path: string; readonly values: Readonly<Record<string, unknown>> },
): Given | undefined {
  const variable = environmentName(name);
  if (flags[name] !== undefined) return { value: flags[name], written: `--${name}` };
  if (environment[variable] !== undefined)
    return { value: environment[variable], written: variable };
  if (file.values[name] !== undefined)
    return { value: file.values[name], written: `${name} in ${file.path}` };
  return undefined;
}

function problemWith(name: SettingName, given: Given | undefined, error: z.ZodError): string {
  const reasons = [...new Set(error.issues.map((issue) => issue.message))].join('; ');
  if (given === undefined) return `--${name}: ${reasons}`;
  if (inFileOnly(name)) return `${given.written}: ${error.issues.map(located).join('; ')}`;
  const value = name.endsWith('-password') ? 'what is given' : JSON.stringify(given.value);
  return `${given.written}: ${withoutPassword(value)} will not do: ${reasons}`;
}

/** The whole of a long list says less than the place in it. */
const located = ({ path, message }: z.core.$ZodIssue): string =>
  path.length === 0 ? message : `entry ${Number(path[0]) + 1}: ${message}`;

const withoutPassword = (url: string): string => url.replace(/(:\/\/[^:@/]*:).*@/, '$1***@');

function unknownNames(
  environment: Environment,
  file: { readonly path: string; readonly values: Readonly<Record<string, unknown>> },
): string[] {
  const variables = new Set([...names.map(environmentName), 'DAGUERRE_CONFIG']);
  return [
    ...Object.keys(environment)
      .filter((variable) => variable.startsWith('DAGUERRE_') && !variables.has(variable))
      .filter((variable) => !variable.startsWith('DAGUERRE_TEST_'))
      .map((variable) => `${variable}: there is no such setting`),
    ...Object.keys(file.values)
      .filter((name) => !names.includes(name as SettingName))
      .map((name) => `${name} in ${file.path}: there is no such setting`),
  ];
}

/** As the XDG base directory specification has it. */
function defaultDataDir(environment: Environment): string {
  const xdg = environment.XDG_DATA_HOME;
  const share = xdg?.startsWith('/') ? xdg : join(environment.HOME || homedir(), '.local', 'share');
  return join(share, 'daguerre');
}

/** Whether only this machine can reach an address. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** What identity keystone cannot do without. */
const keystoneNeeds = ['keystone-auth-url', 'keystone-username', 'keystone-password'] as const;

function guardKeystone(config: Config): void {
  const wanted =
    config.identity === 'keystone' ? 'identity keystone needs' : 'Keystone limits need';
  if (config.identity !== 'keystone' && !config['use-keystone-limits']) return;
  const missing = keystoneNeeds.filter((name) => config[name] === undefined);
  if (missing.length > 0) throw new ConfigError(missing.map((name) => `--${name}: ${wanted} it`));
}

/** What the bucket of checkpoints cannot do without. */
const bucketNeeds = ['audit-s3-access-key-id', 'audit-s3-secret-access-key'] as const;

function guardAudit(config: Config): void {
  if (config['audit-publish-s3'] === undefined) return;
  const missing = bucketNeeds.filter((name) => config[name] === undefined);
  if (missing.length > 0)
    throw new ConfigError(missing.map((name) => `--${name}: --audit-publish-s3 needs it`));
}

function guardLoopback(config: Config): void {
  if (config.identity !== 'none' || config['allow-unauthenticated-network']) return;
  if (isLoopback(config.host)) return;
  throw new ConfigError([
    `--host ${config.host}: with identity none everybody who reaches the service is an administrator, so it listens on loopback only. ` +
      'Listen on 127.0.0.1, or say --allow-unauthenticated-network if that is what you want.',
  ]);
}
