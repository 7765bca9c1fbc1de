import { resolve } from 'node:path';
import { defaultLimits } from '../../../domain/image/attributes.ts';
import { containerFormats, diskFormats } from '../../../domain/image/formats.ts';
import { anyTextOrList, bytes, limit, setting, text, whole } from './kinds.ts';

const pageSize = whole(1, 10_000);
const word = /^[\w.+-]{1,64}$/;
const names = anyTextOrList
  .transform((given) => given.map((name) => name.trim()).filter((name) => name !== ''))
  .refine((given) => given.length > 0 && given.every((name) => word.test(name)), {
    error: 'must be names, separated by commas',
  })
  .transform((given) => [...new Set(given)]);
const tebibyte = 1024 ** 4;

/** What images may look like, and how they are listed. */
export const imagesSettings = {
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
} as const;
