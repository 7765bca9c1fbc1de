import { resolve } from 'node:path';
import { anyText, anyTextOrList, setting, size, text, url, whole } from './kinds.ts';

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
function isNatsUrl(given: string): boolean {
  return /^(nats|tls):\/\/[^/\s]+$/.test(given) && URL.canParse(given);
}

/** NATS, Redis, and what is told there. */
export const busSettings = {
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
} as const;
