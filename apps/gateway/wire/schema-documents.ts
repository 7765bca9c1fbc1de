import { memberStatuses } from '../../../domain/image/attributes.ts';
import { baseProperties, operatorProperties } from './image-schema.ts';

/** With one store no image has `stores`; python-glanceclient makes an option of it that clashes with its own `--stores`. */
const { stores: _, ...singleStoreProperties } = baseProperties;

const image = {
  name: 'image',
  properties: { ...singleStoreProperties, ...operatorProperties },
  additionalProperties: { type: 'string' },
  links: [
    { rel: 'self', href: '{self}' },
    { rel: 'enclosure', href: '{file}' },
    { rel: 'describedby', href: '{schema}' },
  ],
} as const;

/** A page of items, with the links that page through them. */
const collection = (name: string, item: object) => ({
  name,
  properties: {
    [name]: { type: 'array', items: item },
    first: { type: 'string' },
    next: { type: 'string' },
    schema: { type: 'string' },
  },
  links: [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ],
});

const member = {
  name: 'member',
  properties: {
    member_id: {
      type: 'string',
      description: 'An identifier for the image member (tenantId)',
    },
    image_id: { ...baseProperties.id, description: 'An identifier for the image' },
    created_at: { type: 'string', description: 'Date and time of image member creation' },
    updated_at: {
      type: 'string',
      description: 'Date and time of last modification of image member',
    },
    status: {
      type: 'string',
      description: 'The status of this image member',
      enum: memberStatuses,
    },
    schema: { readOnly: true, type: 'string' },
  },
} as const;

/** All items at once, without pages. */
const wholeCollection = (name: string, item: object) => ({
  name,
  properties: { [name]: { type: 'array', items: item }, schema: { type: 'string' } },
  links: [{ rel: 'describedby', href: '{schema}' }],
});

/** What `GET /v2/schemas/{name}` answers, by name (reference, section 18). */
export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([
  ['image', image],
  ['images', collection('images', image)],
  ['member', member],
  ['members', wholeCollection('members', member)],
]);
