import {
  associationTexts,
  type DefinitionSchema,
  namespaceSchema,
  propertyFields,
  ref,
} from './metadef-schemas.ts';

const name: DefinitionSchema = { type: 'string', minLength: 1, maxLength: 80 };

const propertyRequest = (...required: readonly string[]): DefinitionSchema => ({
  name: 'property',
  type: 'object',
  properties: { ...propertyFields, name, confidential: { type: 'boolean' } },
  additionalProperties: false,
  required,
});

/** Where things are nested, what the server wrote of them may come back, and is passed over. */
const written: Readonly<Record<string, DefinitionSchema>> = {
  created_at: {},
  updated_at: {},
  self: {},
  schema: {},
};

const objectRequest = (besides: Readonly<Record<string, DefinitionSchema>>): DefinitionSchema => ({
  name: 'object',
  type: 'object',
  properties: {
    name,
    description: { type: 'string' },
    required: ref('stringArray'),
    properties: { type: 'object', additionalProperties: propertyRequest('title', 'type') },
    ...besides,
  },
  additionalProperties: false,
  required: ['name'],
});

const associationRequest = (
  besides: Readonly<Record<string, DefinitionSchema>>,
): DefinitionSchema => ({
  name: 'resource_type_association',
  type: 'object',
  properties: { ...associationTexts, name, ...besides },
  additionalProperties: false,
  required: ['name'],
});

const tagRequest = (besides: Readonly<Record<string, DefinitionSchema>>): DefinitionSchema => ({
  name: 'tag',
  type: 'object',
  properties: { name, ...besides },
  additionalProperties: false,
  required: ['name'],
});

/** What requests may hold, stricter than the documents for clients: what they nest is checked as closely as what stands alone. */
export const requestSchemas = {
  namespace: {
    name: 'namespace',
    type: 'object',
    properties: {
      ...namespaceSchema.properties,
      namespace: name,
      resource_type_associations: { type: 'array', items: associationRequest(written) },
      properties: { type: 'object', additionalProperties: propertyRequest('title', 'type') },
      objects: { type: 'array', items: objectRequest(written) },
      tags: { type: 'array', items: tagRequest(written) },
    },
    additionalProperties: false,
    required: ['namespace'],
  },
  object: objectRequest({}),
  property: propertyRequest('name', 'title', 'type'),
  tag: tagRequest({}),
  tags: {
    name: 'tags',
    type: 'object',
    properties: { tags: { type: 'array', items: tagRequest({}) } },
    additionalProperties: false,
    required: ['tags'],
  },
  association: associationRequest({}),
} as const satisfies Readonly<Record<string, DefinitionSchema>>;
