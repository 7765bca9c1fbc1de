import { z } from 'zod';
import { wordList } from '../lists.ts';
import { oneOf, seconds, setting, whole } from './kinds.ts';

const wrongProperties = 'must be NAME:VALUE, separated by commas';

/** A map in the file; elsewhere as Glance writes it, quotes or not, or as JSON. */
const properties = z.preprocess(
  (given) => (typeof given === 'string' ? (fromJson(given) ?? fromPairs(given)) : given),
  z.record(z.string().min(1).max(255), z.string({ error: wrongProperties }), {
    error: wrongProperties,
  }),
);

const names = oneOf('no_op', 'image_decompression', 'image_conversion', 'inject_image_metadata');

function fromJson(text: string): unknown {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromPairs(text: string): Readonly<Record<string, string | undefined>> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^\s*"?([^":]+)"?\s*:\s*"?([^"]*?)"?\s*$/.exec(pair) ?? [];
      return [name ?? '', value];
    }),
  );
}

/** What is made of imports before they are images. */
export const pluginsSettings = {
  'import-plugins': setting(
    wordList.pipe(z.array(names)).default([]),
    'what is done to imports, in this order: image_decompression, image_conversion, inject_image_metadata',
    'NAMES',
  ),
  'conversion-output-format': setting(
    oneOf('raw', 'qcow2', 'vmdk').default('raw'),
    'what image_conversion makes of disks: raw, qcow2 or vmdk',
    'FORMAT',
  ),
  'inject-metadata-properties': setting(
    properties.optional(),
    'properties that inject_image_metadata gives to images, as name:value',
    'PROPERTIES',
  ),
  'inject-metadata-ignore-user-roles': setting(
    wordList.default(['admin']),
    'roles of callers whose imports inject_image_metadata leaves alone',
    'ROLE',
  ),
  'plugin-expansion-ratio': setting(
    whole(1, 1_000_000).default(100),
    'how many times as many bytes as went in may come out of decompression and conversion',
    'TIMES',
  ),
  'plugin-memory': setting(
    whole(256, 1_048_576).default(1024),
    'MiB of address space that a conversion may use',
    'MIB',
  ),
  'plugin-cpu-time': setting(
    seconds.default(3600),
    'seconds of a processor that a conversion may take',
    'SECONDS',
  ),
  'plugin-timeout': setting(seconds.default(7200), 'seconds that a conversion may take', 'SECONDS'),
} as const;
