import { resolve } from 'node:path';
import { z } from 'zod';

/** One setting: how it is checked, and how the operator reads of it. */
export interface Setting {
  readonly schema: z.ZodType;
  /** One line for `--help`. */
  readonly help: string;
  /** Shown for the value in `--help`; absent for a switch. */
  readonly placeholder?: string;
}

const setting = <Schema extends z.ZodType>(schema: Schema, help: string, placeholder?: string) => ({
  schema,
  help,
  ...(placeholder === undefined ? {} : { placeholder }),
});

/** As the file has it, or as a flag or a variable spells it; nothing else becomes a number, least of all nothing. */
const whole = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.preprocess(
    (given) => (typeof given === 'string' && /^-?[\d.]+$/.test(given) ? Number(given) : given),
    z.number({ error }).int({ error }).min(min, { error }).max(max, { error }),
  );
};
const port = whole(0, 65535);
const count = whole(1, 1024);
const milliseconds = whole(100, 86_400_000);
const bytes = whole(1, Number.MAX_SAFE_INTEGER);
const anyText = z.string({ error: 'must be text' });
const text = anyText.min(1, { error: 'must not be empty' });
const oneOf = <const Word extends string>(...words: readonly Word[]) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });
const url = (...schemes: readonly string[]) =>
  anyText.refine((given) => schemes.some((scheme) => given.startsWith(`${scheme}://`)), {
    error: `must begin with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  });
const trueOrFalse = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0', 'yes', 'no', ''])], {
    error: 'must be true or false',
  })
  .transform(
    (value) =>
      value === true || value === 'true' || value === '1' || value === 'yes' || value === '',
  );
const caller = anyText.regex(/^[^:]*:[^:]*:[^:]*$/, {
  error: 'must have the form user:project:role,role',
});

const tebibyte = 1024 ** 4;

/**
 * Every setting, by the one name that a flag (`--data-dir`), the environment (`DAGUERRE_DATA_DIR`) and the file
 * (`data-dir:`) share. `data-dir` has its default from the environment, so it is given in `config.ts`.
 */
export const settings = {
  host: setting(text.default('127.0.0.1'), 'address to listen on', 'ADDRESS'),
  port: setting(port.default(9292), 'port to listen on; 0 takes a free one', 'PORT'),
  'data-dir': setting(text, 'where the database, staged and stored bytes lie', 'DIR'),
  'postgres-url': setting(
    url('postgres', 'postgresql').optional(),
    'a Postgres of your own instead of the embedded one',
    'URL',
  ),
  'event-log-url': setting(
    url('postgres', 'postgresql').optional(),
    'a Postgres for the event log alone (default: the same one)',
    'URL',
  ),
  identity: setting(
    oneOf('none', 'keystone').default('none'),
    'who callers are: keystone, or none (loopback only; X-Auth-Token is user:project:role,role)',
    'KIND',
  ),
  'default-caller': setting(
    caller.default('admin:default:admin'),
    'with identity none, who a request without such a token is',
    'CALLER',
  ),
  'allow-unauthenticated-network': setting(
    trueOrFalse.default(false),
    'let identity none listen beyond loopback: anybody who reaches it is an administrator',
  ),
  'policy-file': setting(
    text.transform((path) => resolve(path)).optional(),
    "who may do what: rules of a policy.yaml in oslo.policy's language, over the default ones",
    'FILE',
  ),
  'property-protection-file': setting(
    text.transform((path) => resolve(path)).optional(),
    "who may create, read, update and delete which custom properties: Glance's property-protections.conf",
    'FILE',
  ),
  'property-protection-rule-format': setting(
    oneOf('roles', 'policies').default('roles'),
    'what that file names: roles, or rules of the policy',
    'FORMAT',
  ),
  'keystone-auth-url': setting(
    url('http', 'https').optional(),
    'with identity keystone, where its API v3 is',
    'URL',
  ),
  'keystone-username': setting(
    text.optional(),
    'the user of this service, with role service in its project',
    'NAME',
  ),
  'keystone-password': setting(
    text.optional(),
    'its password; a flag can be seen by others on the machine, the environment and the file cannot',
    'PASSWORD',
  ),
  'keystone-project-name': setting(text.default('service'), 'its project', 'NAME'),
  'keystone-user-domain-name': setting(text.default('Default'), "its user's domain", 'NAME'),
  'keystone-project-domain-name': setting(text.default('Default'), "its project's domain", 'NAME'),
  'keystone-interface': setting(
    oneOf('public', 'internal', 'admin').optional(),
    'which identity endpoint of the catalog to use: public, internal or admin (default: the auth URL)',
    'KIND',
  ),
  'keystone-www-authenticate-uri': setting(
    url('http', 'https').optional(),
    'where clients without a token are sent (default: the auth URL)',
    'URL',
  ),
  'keystone-cafile': setting(text.optional(), 'certificate authorities to believe, as PEM', 'FILE'),
  'keystone-timeout-ms': setting(milliseconds.default(10_000), 'longest wait for an answer', 'MS'),
  'keystone-token-cache-seconds': setting(
    whole(0, 86_400).default(300),
    'how long a token is believed before it is asked about again: the bound for noticing a revocation',
    'SECONDS',
  ),
  'keystone-service-token-roles': setting(
    anyText.default('service').transform((list) =>
      list
        .toLowerCase()
        .split(',')
        .map((role) => role.trim())
        .filter((role) => role !== ''),
    ),
    'roles of which a service token must have one',
    'ROLES',
  ),
  region: setting(text.default('RegionOne'), 'name of this region', 'NAME'),
  'public-endpoint': setting(
    url('http', 'https').optional(),
    'URL that clients reach this service at (default: from the request)',
    'URL',
  ),
  'store-dir': setting(
    text.optional(),
    'where image bytes lie (default: store in the data directory)',
    'DIR',
  ),
  'staging-dir': setting(
    text.optional(),
    'where uploads wait (default: staging in the data directory; best on the file system of the store)',
    'DIR',
  ),
  'image-size-cap': setting(bytes.default(tebibyte), 'largest image in bytes', 'BYTES'),
  'worker-slots': setting(
    count.default(4),
    'uploads that one worker process finishes at once',
    'COUNT',
  ),
  'digest-threads': setting(
    count.optional(),
    'threads that hash, per worker process (default: as many as there are cores, at least 2)',
    'COUNT',
  ),
  'lease-ms': setting(
    milliseconds.default(4000),
    'a process whose heartbeat stands still for this long is taken to be dead',
    'MS',
  ),
  'sweep-interval-ms': setting(
    milliseconds.default(60_000),
    'how often staging and store are searched for bytes that nothing names',
    'MS',
  ),
  'log-level': setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
    'least severe messages to log',
    'LEVEL',
  ),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
