import { z } from 'zod';
import { storeList } from '../store-settings.ts';
import { seconds, setting, text, trueOrFalse, whole } from './kinds.ts';

const importMethods = ['glance-direct', 'web-download', 'copy-image', 'glance-download'] as const;
const notMethods = `must be of ${importMethods.join(', ')}, separated by commas`;
/** None at all is a choice, too. */
const methods = z.preprocess(
  (given) =>
    typeof given === 'string'
      ? given.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
      : given,
  z.array(z.enum(importMethods, { error: notMethods }), { error: notMethods }),
);

/** Where bytes lie: stores, staging, and how long they wait. */
export const storageSettings = {
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
    methods.default(['glance-direct', 'web-download', 'copy-image']),
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
} as const;
