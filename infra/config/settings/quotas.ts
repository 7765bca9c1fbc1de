import { setting, size, trueOrFalse, whole } from './kinds.ts';

/** What one project may take. */
export const quotasSettings = {
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
} as const;
