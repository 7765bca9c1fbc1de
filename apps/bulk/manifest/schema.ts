import { z } from 'zod';
import { priorities } from '../../../domain/bulk/events.ts';
import { visibilities } from '../../../domain/image/attributes.ts';

const text = z.string();
const words = z.array(text.min(1));
const whole = z.int().nonnegative();

/** Kept as it is, since a record would lose an entry that is called `__proto__`. */
const properties = z
  .any()
  .superRefine((value, context) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: 'must be names with texts' });
      return;
    }
    for (const [name, one] of Object.entries(value))
      if (typeof one !== 'string')
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'must be text: put it between quotation marks',
        });
  })
  .meta({ type: 'object', additionalProperties: { type: 'string' } });

/** What a manifest can say of an image. */
const fields = {
  name: text.optional(),
  id: text
    .optional()
    .describe(
      'UUID that the image is to have. Without it, the same image gets the same id each time.',
    ),
  source: text
    .min(1)
    .describe(
      'Where the bytes are: an http or https URL; of `daguerre import`, a path, too. `upload:LABEL` is whoever asks, who uploads them.',
    ),
  checksum: text
    .regex(
      /^((md5:)?[0-9a-f]{32}|(sha1:)?[0-9a-f]{40}|(sha256:)?[0-9a-f]{64}|(sha512:)?[0-9a-f]{128})$/i,
      {
        error:
          'must be hex digits, as many as md5, sha1, sha256 or sha512 have; the name of that and a colon may come before',
      },
    )
    .optional()
    .describe('What the bytes must be: `sha256:HEX`, or the digits alone.'),
  checksum_url: text
    .optional()
    .describe('URL of a SHA256SUMS, or alike, that has the name of the source.'),
  size: whole.optional().describe('Bytes that there must be.'),
  disk_format: text.optional().describe('Without it, what the ending of the source says.'),
  container_format: text.optional().describe('Default: bare.'),
  min_disk: whole.optional().describe('GiB.'),
  min_ram: whole.optional().describe('MiB.'),
  visibility: z.enum(visibilities).optional(),
  owner: text
    .optional()
    .describe('Id of the project that is to own it; of another project for administrators only.'),
  protected: z.boolean().optional(),
  os_hidden: z.boolean().optional(),
  tags: words.optional(),
  properties: properties.optional(),
  stores: words
    .optional()
    .describe('Ids of stores that are to have the bytes. Default: the default store.'),
  all_stores_must_succeed: z.boolean().optional(),
  members: words.optional().describe('Ids of projects that it is shared with.'),
};

export const imageSchema = z.strictObject(fields);
export type ManifestImage = z.infer<typeof imageSchema>;

const { source: _source, id: _id, ...common } = fields;

export const manifestSchema = z.strictObject({
  name: text.max(255).optional().describe('What the import is called.'),
  priority: z.enum(priorities).optional(),
  defaults: z
    .strictObject(common)
    .optional()
    .describe('What holds for every image that does not say otherwise; properties come together.'),
  images: z.array(imageSchema).min(1),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Of YAML and JSON; CSV has the fields of an image as columns, NDJSON an image a line. */
export const manifestJsonSchema = {
  title: 'Manifest of a bulk import',
  description:
    'A list of images alone will do, too. As CSV: fields are columns, `property:NAME` is a property, and lists are parted by semicolons. As NDJSON: an image per line.',
  ...z.toJSONSchema(manifestSchema, { io: 'input' }),
};
