import type { JsonObject } from '../../../domain/json.ts';
import type {
  Dated,
  NamespaceRecord,
  NamespaceSummary,
  ResourceType,
} from '../../../projections/metadefs/record.ts';
import { timestamp } from './image.ts';
import { type Parameters, queryStringOf } from './query-string.ts';

/** As the original has it where it can: only what would end a path's part is escaped. */
const linked = (name: string): string =>
  name.replace(/[%/?#]/g, (character) => encodeURIComponent(character));

export const namespacePath = (name: string): string => `/v2/metadefs/namespaces/${linked(name)}`;

/** Fields without a value are left out (reference, section 19). */
const present = (document: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null));

const times = ({ createdAt, updatedAt }: Pick<Dated, 'createdAt' | 'updatedAt'>) => ({
  created_at: timestamp(new Date(createdAt)),
  updated_at: timestamp(new Date(updatedAt)),
});

/** A namespace's own fields. */
export const namespaceDocument = (record: NamespaceSummary): JsonObject =>
  present({
    namespace: record.namespace,
    display_name: record.displayName,
    description: record.description,
    visibility: record.visibility,
    protected: record.protected,
    owner: record.owner,
    created_at: timestamp(record.createdAt),
    updated_at: timestamp(record.updatedAt),
    self: namespacePath(record.namespace),
    schema: '/v2/schemas/metadefs/namespace',
  });

/** The same with its associations, where it has any, as lists show it. */
export const namespaceWithTypes = (record: NamespaceSummary): JsonObject => ({
  ...namespaceDocument(record),
  ...(record.associations.length === 0
    ? {}
    : { resource_type_associations: record.associations.map(associationDocument) }),
});

/** Everything of a namespace; names of properties begin with `prefix`. */
export function wholeNamespace(record: NamespaceRecord, prefix = ''): JsonObject {
  const { namespace, properties, objects, tags } = record;
  return {
    ...namespaceWithTypes(record),
    ...(properties.length === 0 ? {} : { properties: propertiesDocument(properties, prefix) }),
    ...(objects.length === 0
      ? {}
      : {
          objects: objects.map((object) => objectDocument(namespace, object, prefix)),
        }),
    ...(tags.length === 0 ? {} : { tags: [...tags].reverse().map(({ name }) => ({ name })) }),
  };
}

export const associationDocument = ({ definition, ...dated }: Dated): JsonObject => ({
  ...definition,
  ...times(dated),
});

/** A property alone. */
export const propertyDocument = ({ definition }: Dated): JsonObject => definition;

/** Properties by name; a definition does not repeat the name that it stands under. */
export const propertiesDocument = (properties: readonly Dated[], prefix = ''): JsonObject =>
  Object.fromEntries(
    properties.map(({ definition: { name, ...fields } }) => [prefix + name, fields]),
  );

export function objectDocument(
  namespace: string,
  { definition, ...dated }: Dated,
  prefix = '',
): JsonObject {
  const { required, properties } = definition;
  return {
    ...definition,
    ...(Array.isArray(required) ? { required: required.map((name) => `${prefix}${name}`) } : {}),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties as JsonObject).map(([name, one]) => [prefix + name, one]),
          ),
        }),
    ...times(dated),
    self: `${namespacePath(namespace)}/objects/${linked(dated.name)}`,
    schema: '/v2/schemas/metadefs/object',
  };
}

export const tagDocument = ({ name, ...dated }: Dated): JsonObject => ({ name, ...times(dated) });

export const resourceTypeDocument = ({ name, createdAt }: ResourceType): JsonObject => ({
  name,
  created_at: timestamp(createdAt),
  updated_at: timestamp(createdAt),
});

/** A page of namespaces with its links; `shown` is what of the page the policy lets through. */
export function namespacesPage(
  {
    page,
    shown,
  }: { readonly page: readonly NamespaceSummary[]; readonly shown: readonly NamespaceSummary[] },
  parameters: Parameters,
  limit: number,
): JsonObject {
  const unmarked = parameters.filter(([name]) => name !== 'marker');
  const last = page.length > 0 && page.length === limit ? page.at(-1) : undefined;
  return {
    namespaces: shown.map(namespaceWithTypes),
    first: link(unmarked),
    ...(last === undefined ? {} : { next: link([...unmarked, ['marker', last.namespace]]) }),
    schema: '/v2/schemas/metadefs/namespaces',
  };
}

const link = (parameters: Parameters): string =>
  parameters.length === 0
    ? '/v2/metadefs/namespaces'
    : `/v2/metadefs/namespaces?${queryStringOf(parameters)}`;
