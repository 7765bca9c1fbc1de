import type { Schema } from './json-schema.ts';

export const uuidPattern =
  '^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$';

const nullableText = (description: string, maxLength: number): Schema => ({
  type: ['null', 'string'],
  description,
  maxLength,
});

/** Every base field of an image (reference, section 3.1), in the words of the original's own schema, but for the formats. */
export const baseProperties = {
  id: { type: 'string', description: 'An identifier for the image', pattern: uuidPattern },
  name: nullableText('Descriptive name for the image', 255),
  status: {
    type: 'string',
    readOnly: true,
    description: 'Status of the image',
    enum: [
      'queued',
      'saving',
      'active',
      'killed',
      'deleted',
      'uploading',
      'importing',
      'pending_delete',
      'deactivated',
    ],
  },
  visibility: {
    type: 'string',
    description: 'Scope of image accessibility',
    enum: ['community', 'public', 'private', 'shared'],
  },
  protected: { type: 'boolean', description: 'If true, image will not be deletable.' },
  os_hidden: {
    type: 'boolean',
    description: 'If true, image will not appear in default image list response.',
  },
  checksum: { ...nullableText('md5 hash of image contents.', 32), readOnly: true },
  os_hash_algo: {
    ...nullableText('Algorithm to calculate the os_hash_value', 64),
    readOnly: true,
  },
  os_hash_value: {
    ...nullableText(
      'Hexdigest of the image contents using the algorithm specified by the os_hash_algo',
      128,
    ),
    readOnly: true,
  },
  owner: nullableText('Owner of the image', 255),
  size: { type: ['null', 'integer'], readOnly: true, description: 'Size of image file in bytes' },
  virtual_size: {
    type: ['null', 'integer'],
    readOnly: true,
    description: 'Virtual size of image in bytes',
  },
  container_format: {
    type: ['null', 'string'],
    description: 'Format of the container',
  },
  disk_format: {
    type: ['null', 'string'],
    description: 'Format of the disk',
  },
  created_at: {
    type: 'string',
    readOnly: true,
    description: 'Date and time of image registration',
  },
  updated_at: {
    type: 'string',
    readOnly: true,
    description: 'Date and time of the last image modification',
  },
  tags: {
    type: 'array',
    description: 'List of strings related to the image',
    items: { type: 'string', maxLength: 255 },
  },
  direct_url: {
    type: 'string',
    readOnly: true,
    description: 'URL to access the image file kept in external store',
  },
  min_ram: {
    type: 'integer',
    description: 'Amount of ram (in MB) required to boot image.',
  },
  min_disk: {
    type: 'integer',
    description: 'Amount of disk space (in GB) required to boot image.',
  },
  self: { type: 'string', readOnly: true, description: 'An image self url' },
  file: { type: 'string', readOnly: true, description: 'An image file url' },
  schema: { type: 'string', readOnly: true, description: 'An image schema url' },
  locations: {
    type: 'array',
    description: 'A set of URLs to access the image file kept in external store',
    items: {
      type: 'object',
      required: ['url', 'metadata'],
      properties: {
        url: { type: 'string', maxLength: 255 },
        metadata: { type: 'object' },
        validation_data: {
          type: 'object',
          description:
            'Values to be used to populate the corresponding image properties. If the image status is not ' +
            "'queued', values must exactly match those already contained in the image properties.",
          writeOnly: true,
          additionalProperties: false,
          required: ['os_hash_algo', 'os_hash_value'],
          properties: {
            checksum: { type: 'string', minLength: 32, maxLength: 32 },
            os_hash_algo: { type: 'string', maxLength: 64 },
            os_hash_value: { type: 'string', maxLength: 128 },
          },
        },
      },
    },
  },
  stores: {
    type: 'string',
    readOnly: true,
    description:
      'Store in which image data resides.  Only present when the operator has enabled multiple stores.  ' +
      'May be a comma-separated list of store identifiers.',
  },
} as const satisfies Readonly<Record<string, Schema>>;

export type BaseField = keyof typeof baseProperties;

export const isBaseField = (name: string): name is BaseField => Object.hasOwn(baseProperties, name);
