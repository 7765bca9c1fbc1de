import { setting, trueOrFalse, whole } from './kinds.ts';

/** Locations of images: what is shown of them, and how added ones are read. */
export const locationsSettings = {
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
} as const;
