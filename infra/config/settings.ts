import { resolve } from 'node:path';
import { z } from 'zod';
import { defaultLimits } from '../../domain/image/attributes.ts';
import { containerFormats, diskFormats } from '../../domain/image/formats.ts';
import { usualRetrySeconds } from '../../domain/webhook/schedule.ts';
import { nameList, networkList, portList, secondsList } from './lists.ts';
import { storeList } from './store-settings.ts';

/** One setting: how it is checked, and how the operator reads of it. */
export interface Setting {
  readonly schema: z.ZodType;
  /** One line for `--help`. */
  readonly help: string;
  /** Shown for the value in `--help`; absent for a switch. */
  readonly placeholder?: string;
  /** No flag can hold it. */
  readonly inFileOnly?: true;
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
const seconds = whole(1, 3_153_600_000);
const bytes = whole(1, Number.MAX_SAFE_INTEGER);
const anyText = z.string({ error: 'must be text' });
const anyTextOrList = z.union([anyText.transform((list) => list.split(',')), z.array(anyText)], {
  error: 'must be a list',
});
const text = anyText.min(1, { error: 'must not be empty' });
const oneOf = <const Word extends string>(...words: readonly Word[]) =>
  z.enum(words, { error: `must be one of ${words.join(', ')}` });
const url = (...schemes: readonly string[]) =>
  anyText.refine((given) => schemes.some((scheme) => given.startsWith(`${scheme}://`)), {
    error: `must begin with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
  });
const quantity = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };
/** As Glance has it: a whole number and perhaps B, KB, MB, GB or TB, in powers of 1024; becomes bytes. */
const size = z
  .union([z.string(), z.number().int().min(0)], { error: 'must be a size such as 500GB, or 0' })
  .transform((given, context) => {
    const [, digits, unit = 'B'] = /^(\d+)([KMGT]?B)?$/.exec(String(given)) ?? [];
    const amount = Number(digits) * quantity[unit as keyof typeof quantity];
    if (Number.isSafeInteger(amount)) return amount;
    context.addIssue({ code: 'custom', message: 'must be a size such as 500GB, or 0' });
    return z.NEVER;
  });
const trueOrFalse = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0', 'yes', 'no', ''])], {
    error: 'must be true or false',
  })
  .transform(
    (value) =>
      value === true || value === 'true' || value === '1' || value === 'yes' || value === '',
  );
const limit = whole(-1, 1_000_000);
const pageSize = whole(1, 10_000);
const word = /^[\w.+-]{1,64}$/;
const names = anyTextOrList
  .transform((given) => given.map((name) => name.trim()).filter((name) => name !== ''))
  .refine((given) => given.length > 0 && given.every((name) => word.test(name)), {
    error: 'must be names, separated by commas',
  })
  .transform((given) => [...new Set(given)]);
const importMethods = ['glance-direct', 'web-download', 'copy-image'] as const;
const notMethods = `must be of ${importMethods.join(', ')}, separated by commas`;
/** None at all is a choice, too. */
const methods = z.preprocess(
  (given) =>
    typeof given === 'string'
      ? given.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
      : given,
  z.array(z.enum(importMethods, { error: notMethods }), { error: notMethods }),
);
const origins = anyTextOrList
  .transform((given) => given.map((origin) => origin.trim()).filter((origin) => origin !== ''))
  .refine((given) => given.every((origin) => /^(\*|https?:\/\/[^/\s]+)$/.test(origin)), {
    error: 'must be origins like https://host:port, separated by commas',
  });
const notificationNames = anyTextOrList
  .transform((given) => given.map((name) => name.trim()).filter((name) => name !== ''))
  .refine((given) => given.every((name) => /^[a-z_]+(\.[a-z_]+)*$/.test(name)), {
    error: 'must be names such as image.update, separated by commas',
  });
const natsUrls = anyTextOrList
  .transform((given) => given.map((one) => one.trim()).filter((one) => one !== ''))
  .refine((given) => given.length > 0 && given.every(isNatsUrl), {
    error:
      'must be addresses like nats://host:4222 or tls://user:password@host:4222, separated by commas',
  });
const caller = anyText.regex(/^[^:]*:[^:]*:[^:]*$/, {
  error: 'must have the form user:project:role,role',
});

function isNatsUrl(given: string): boolean {
  return /^(nats|tls):\/\/[^/\s]+$/.test(given) && URL.canParse(given);
}

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
    url('postgres', 'postgresql', 'esdb', 'esdb+discover').optional(),
    'a Postgres for the event log alone, or EventStoreDB as its clients name it (default: the same Postgres)',
    'URL',
  ),
  'nats-url': setting(
    natsUrls.optional(),
    'NATS servers with JetStream, separated by commas: events are relayed there for others, and our own processes hear by it',
    'URLS',
  ),
  'nats-credentials-file': setting(
    text.transform((path) => resolve(path)).optional(),
    'who we are to NATS, as its own .creds file, instead of user and password in the address',
    'FILE',
  ),
  'nats-ca-file': setting(
    text.transform((path) => resolve(path)).optional(),
    'certificate authorities to believe for NATS, as PEM',
    'FILE',
  ),
  'nats-cert-file': setting(
    text.transform((path) => resolve(path)).optional(),
    'our certificate for NATS, as PEM',
    'FILE',
  ),
  'nats-key-file': setting(
    text.transform((path) => resolve(path)).optional(),
    'its key, as PEM',
    'FILE',
  ),
  'nats-stream': setting(
    anyText
      .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be letters, digits, _ and -' })
      .default('DAGUERRE'),
    'JetStream stream of the events; others of ours begin with its name',
    'NAME',
  ),
  'nats-replicas': setting(whole(1, 5).default(1), 'copies that JetStream keeps of each', 'COUNT'),
  'nats-max-age-seconds': setting(
    whole(0, 1_000_000_000).default(0),
    'how long JetStream keeps events; 0 is for ever',
    'SECONDS',
  ),
  'nats-max-bytes': setting(
    size.default(0),
    'most that JetStream keeps of them, with B, KB, MB, GB or TB; the oldest go first, 0 is no limit',
    'SIZE',
  ),
  'nats-duplicate-window-seconds': setting(
    whole(1, 86_400).default(120),
    'how long JetStream itself drops what it has seen before',
    'SECONDS',
  ),
  'redis-url': setting(
    url('redis', 'rediss').optional(),
    'Redis where jobs wait, instead of Postgres',
    'URL',
  ),
  'disabled-notifications': setting(
    notificationNames.default([]),
    "Glance's notifications that are not sent: groups such as image.member, or single ones",
    'NAMES',
  ),
  'default-publisher-id': setting(
    text.default('image.localhost'),
    "who Glance's notifications say they are from",
    'NAME',
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
  'cors-allowed-origins': setting(
    origins.default([]),
    'web pages of these origins may use the API: https://HOST[:PORT], or * (default: none)',
    'ORIGINS',
  ),
  'store-dir': setting(
    text.optional(),
    'where image bytes lie (default: store in the data directory)',
    'DIR',
  ),
  stores: {
    ...setting(
      storeList.optional(),
      'where image bytes lie, of several places: see "Stores" (default: one store named file)',
      'LIST',
    ),
    inFileOnly: true,
  },
  'default-store': setting(
    text.optional(),
    'the store of uploads that name none (default: the first that can be written)',
    'ID',
  ),
  'staging-dir': setting(
    text.optional(),
    'where uploads wait (default: staging in the data directory; best on the file system of the store)',
    'DIR',
  ),
  'staging-timeout': setting(
    seconds.default(86_400),
    'how long staged bytes wait for their import call before they are given up',
    'SECONDS',
  ),
  'import-methods': setting(
    methods.default([...importMethods]),
    'how images may be imported, of those that this release can do',
    'NAMES',
  ),
  'task-time-to-live': setting(
    whole(1, 100_000).default(48),
    'how long tasks are shown after their end',
    'HOURS',
  ),
  'delayed-delete': setting(
    trueOrFalse.default(false),
    'keep the bytes of deleted images for a while: until then an operator can restore them',
  ),
  'scrub-time': setting(
    whole(0, 3_153_600_000).default(0),
    'with delayed-delete, how long; at 0 they go at once',
    'SECONDS',
  ),
  'disk-formats': setting(
    names.default([...diskFormats]),
    'what disk_format can be; gpt and luks can be added',
    'NAMES',
  ),
  'container-formats': setting(
    names.default([...containerFormats]),
    'what container_format can be',
    'NAMES',
  ),
  'schema-image-file': setting(
    text.transform((path) => resolve(path)).optional(),
    "custom properties with types and bounds of their own: Glance's schema-image.json, instead of the one it comes with",
    'FILE',
  ),
  'image-property-quota': setting(
    limit.default(defaultLimits.properties),
    'most properties of an image; -1 is no limit',
    'COUNT',
  ),
  'image-tag-quota': setting(
    limit.default(defaultLimits.tags),
    'most tags of an image; -1 is no limit',
    'COUNT',
  ),
  'image-member-quota': setting(
    limit.default(defaultLimits.members),
    'most members of an image; -1 is no limit',
    'COUNT',
  ),
  'image-location-quota': setting(
    limit.default(defaultLimits.locations),
    'most locations of an image; -1 is no limit',
    'COUNT',
  ),
  'limit-param-default': setting(
    pageSize.default(25),
    'entries of a page when the client names no limit',
    'COUNT',
  ),
  'api-limit-max': setting(pageSize.default(1000), 'most entries of a page', 'COUNT'),
  'image-size-cap': setting(bytes.default(tebibyte), 'largest image in bytes', 'BYTES'),
  'user-storage-quota': setting(
    size.default(0),
    'most that the images of a project may take, with B, KB, MB, GB or TB; 0 is no limit',
    'SIZE',
  ),
  'image-count-quota': setting(
    whole(0, Number.MAX_SAFE_INTEGER).default(0),
    'most images that a project may have; 0 is no limit',
    'COUNT',
  ),
  'image-stage-quota': setting(
    size.default(0),
    'most that the staged images of a project may take; 0 is no limit',
    'SIZE',
  ),
  'image-uploading-quota': setting(
    whole(0, Number.MAX_SAFE_INTEGER).default(0),
    'most images of a project that are being uploaded or imported at once; 0 is no limit',
    'COUNT',
  ),
  'use-keystone-limits': setting(
    trueOrFalse.default(false),
    "take limits from Keystone's unified limits instead of the four above; one that is not registered is 0",
  ),
  'keystone-limit-cache-seconds': setting(
    whole(0, 3600).default(0),
    'how long such limits are believed before they are asked for again',
    'SECONDS',
  ),
  'show-multiple-locations': setting(
    trueOrFalse.default(false),
    'show where the bytes of images lie, and let PATCH change it; not for what end users can reach',
  ),
  'show-image-direct-url': setting(
    trueOrFalse.default(false),
    'show the URL of the best location of each image as direct_url',
  ),
  'do-secure-hash': setting(
    trueOrFalse.default(true),
    'read and hash the bytes at locations that POST adds, as is usual; if false, given digests are believed',
  ),
  'http-retries': setting(
    whole(1, 100).default(3),
    'how often the bytes at such a location are tried before they are given up',
    'COUNT',
  ),
  'import-allowed-hosts': setting(
    nameList.default([]),
    'the only hosts that imports may fetch from; those named may have any address (default: all)',
    'HOSTS',
  ),
  'import-disallowed-hosts': setting(
    nameList.default([]),
    'hosts that imports may not fetch from',
    'HOSTS',
  ),
  'import-allowed-ports': setting(
    portList.default([80, 443]),
    'the only ports that imports may fetch from',
    'PORTS',
  ),
  'import-disallowed-ports': setting(
    portList.default([]),
    'ports that imports may not fetch from',
    'PORTS',
  ),
  'import-allowed-cidrs': setting(
    networkList.default([]),
    'networks that imports may reach though they are private, loopback or otherwise special',
    'NETWORKS',
  ),
  'import-disallowed-cidrs': setting(
    networkList.default([]),
    'networks that imports may not reach',
    'NETWORKS',
  ),
  'webhook-allowed-hosts': setting(
    nameList.default([]),
    'the only hosts that webhooks may be at; those named may have any address (default: all)',
    'HOSTS',
  ),
  'webhook-allowed-ports': setting(
    portList.default([443]),
    'the only ports that webhooks may be at',
    'PORTS',
  ),
  'webhook-allowed-cidrs': setting(
    networkList.default([]),
    'networks that webhooks may be in though they are private, loopback or otherwise special',
    'NETWORKS',
  ),
  'webhook-allow-http': setting(trueOrFalse.default(false), 'webhooks may be at http URLs, too'),
  'webhook-endpoint-quota': setting(
    limit.default(20),
    'most webhooks of a project; -1 is no limit',
    'COUNT',
  ),
  'webhook-timeout-ms': setting(
    milliseconds.default(15_000),
    'longest wait for the answer of a webhook',
    'MS',
  ),
  'webhook-retry-seconds': setting(
    secondsList.default([...usualRetrySeconds]),
    'from each failed attempt to tell a webhook to the next, the last again and again',
    'SECONDS',
  ),
  'webhook-disable-after-hours': setting(
    whole(1, 8_760).default(120),
    'a webhook that does not take an event for so long is disabled',
    'HOURS',
  ),
  'worker-slots': setting(
    count.default(4),
    'uploads that one worker process finishes at once',
    'COUNT',
  ),
  'project-ingest-limit': setting(
    whole(0, 10_000).default(0),
    'uploads of one project that are finished at once, all workers together; others have their turn then; 0 is no limit',
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
