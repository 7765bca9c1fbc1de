/** As much of JSON Schema as the documents on metadata definitions use. */
export interface DefinitionSchema {
  readonly name?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly format?: string;
  readonly default?: unknown;
  readonly readOnly?: true;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly items?: DefinitionSchema;
  readonly properties?: Readonly<Record<string, DefinitionSchema>>;
  readonly additionalProperties?: boolean | DefinitionSchema;
  readonly required?: readonly string[];
  readonly allOf?: readonly DefinitionSchema[];
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, DefinitionSchema>>;
}

const text = (description: string, maxLength?: number): DefinitionSchema => ({
  type: 'string',
  description,
  ...(maxLength === undefined ? {} : { maxLength }),
});
const readOnlyTime = (of: string): DefinitionSchema => ({
  type: 'string',
  readOnly: true,
  description: `Date and time of ${of}`,
  format: 'date-time',
});
const readOnlyText: DefinitionSchema = { type: 'string', readOnly: true };
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string', null] as const;
export const ref = (name: string): DefinitionSchema => ({ $ref: `#/definitions/${name}` });

/** Fields of a property's definition (reference, section 19.3). */
export const propertyFields: Readonly<Record<string, DefinitionSchema>> = {
  name: { type: 'string', maxLength: 80 },
  title: { type: 'string' },
  description: { type: 'string' },
  operators: { type: 'array', items: { type: 'string' } },
  type: { type: 'string', enum: types },
  required: ref('stringArray'),
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: ref('positiveInteger'),
  minLength: ref('positiveIntegerDefault0'),
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  default: {},
  items: {
    type: 'object',
    properties: { type: { type: 'string', enum: types }, enum: { type: 'array' } },
  },
  maxItems: ref('positiveInteger'),
  minItems: ref('positiveIntegerDefault0'),
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
};

export const baseDefinitions: Readonly<Record<string, DefinitionSchema>> = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [ref('positiveInteger'), { default: 0 }] },
  stringArray: { type: 'array', items: { type: 'string' }, uniqueItems: true },
};

const definitions: Readonly<Record<string, DefinitionSchema>> = {
  ...baseDefinitions,
  property: {
    type: 'object',
    additionalProperties: {
      type: 'object',
      required: ['title', 'type'],
      properties: propertyFields,
    },
  },
};

export const associationTexts = {
  name: text('Name of a resource type, as Heat has it where possible', 80),
  prefix: text(
    'What begins the names of the properties of this namespace where they are of that resource type; with its separator, such as a colon',
    80,
  ),
  properties_target: text('Which of the key/value sets of that resource type is meant', 80),
};

const objectFields: Readonly<Record<string, DefinitionSchema>> = {
  name: { type: 'string', maxLength: 80 },
  description: { type: 'string' },
  required: ref('stringArray'),
  properties: ref('property'),
  schema: readOnlyText,
  self: readOnlyText,
  created_at: readOnlyTime('object creation'),
  updated_at: readOnlyTime('the last object modification'),
};

const nested = (...names: readonly string[]): DefinitionSchema => ({
  type: 'array',
  items: {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  },
});

export const namespaceSchema: DefinitionSchema = {
  name: 'namespace',
  properties: {
    namespace: text('The unique namespace text.', 80),
    display_name: text('The user friendly name for the namespace. Used by UI if available.', 80),
    description: text('Provides a user friendly description of the namespace.', 500),
    visibility: {
      ...text('Scope of namespace accessibility.'),
      enum: ['public', 'private'],
    },
    protected: { type: 'boolean', description: 'If true, namespace will not be deletable.' },
    owner: text('Owner of the namespace.', 255),
    created_at: readOnlyTime('namespace creation'),
    updated_at: readOnlyTime('the last namespace modification'),
    schema: readOnlyText,
    self: readOnlyText,
    resource_type_associations: nested('name', 'prefix', 'properties_target'),
    properties: ref('property'),
    objects: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          description: { type: 'string' },
          required: ref('stringArray'),
          properties: ref('property'),
        },
      },
    },
    tags: nested('name'),
  },
  additionalProperties: false,
  definitions,
  required: ['namespace'],
};

const association: DefinitionSchema = {
  name: 'resource_type_association',
  properties: {
    ...associationTexts,
    created_at: readOnlyTime('resource type association'),
    updated_at: readOnlyTime('the last resource type association modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

const property: DefinitionSchema = {
  name: 'property',
  properties: propertyFields,
  additionalProperties: false,
  definitions: {
    ...baseDefinitions,
    stringArray: { ...baseDefinitions.stringArray, minItems: 1 },
  },
  required: ['type', 'title', 'name'],
};

const object: DefinitionSchema = {
  name: 'object',
  properties: objectFields,
  additionalProperties: false,
  definitions,
  required: ['name'],
};

const tag: DefinitionSchema = {
  name: 'tag',
  properties: {
    name: { type: 'string', maxLength: 80 },
    created_at: readOnlyTime('tag creation'),
    updated_at: readOnlyTime('the last tag modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

/** A page of items; what they refer to stands beside it. */
function collection(
  name: string,
  { definitions: shared, ...item }: DefinitionSchema,
  itemsIn: (item: DefinitionSchema) => DefinitionSchema = (items) => ({ type: 'array', items }),
): object {
  return {
    name,
    properties: {
      [name]: itemsIn(item),
      first: { type: 'string' },
      next: { type: 'string' },
      schema: { type: 'string' },
    },
    links: [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ],
    ...(shared === undefined ? {} : { definitions: shared }),
  };
}

/** What `GET /v2/schemas/metadefs/{name}` answers, by name (reference, section 18). */
export const metadefSchemas: ReadonlyMap<string, object> = new Map<string, object>([
  ['namespace', namespaceSchema],
  ['namespaces', collection('namespaces', namespaceSchema)],
  ['resource_type', association],
  ['resource_types', collection('resource_type_associations', association)],
  ['property', property],
  [
    'properties',
    collection('properties', { ...property, required: ['type', 'title'] }, (item) => ({
      type: 'object',
      additionalProperties: item,
    })),
  ],
  ['object', object],
  ['objects', collection('objects', object)],
  ['tag', tag],
  ['tags', collection('tags', tag)],
]);
