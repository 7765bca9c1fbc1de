import { anyTextOrList, setting, text, url, whole } from './kinds.ts';

const origins = anyTextOrList
  .transform((given) => given.map((origin) => origin.trim()).filter((origin) => origin !== ''))
  .refine((given) => given.every((origin) => /^(\*|https?:\/\/[^/\s]+)$/.test(origin)), {
    error: 'must be origins like https://host:port, separated by commas',
  });

/** How this service is known to its clients. */
export const endpointSettings = {
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
  'answer-cache-mib': setting(
    whole(0, 65_536).default(16),
    'MiB of images, and as much of listings, that a gateway keeps in memory to answer from; 0 is none',
    'MIB',
  ),
} as const;
