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

/** What `GET /v2/schemas/{name}` answers, by name (reference, section 18). */
export const schemaDocuments: ReadonlyMap<string, object> = new Map<string, object>([
  ['image', image],
  ['images', collection('images', image)],
]);
