import type { JsonObject } from '../../domain/json.ts';
import type { Projection, Table } from '../projection.ts';
import {
  type ContentRow,
  fold,
  type MetadefParts,
  type NamespaceRow,
  namespaceIdOf,
  type TypesRow,
} from './fold.ts';

/** Column of each field of a namespace, in the order in which queries read them. */
export const columnOf = {
  id: 'id',
  namespace: 'name',
  displayName: 'display_name',
  description: 'description',
  visibility: 'visibility',
  protected: 'protected',
  owner: 'owner',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  associations: 'associations',
} as const satisfies Record<keyof NamespaceRow, string>;

const fields = Object.entries(columnOf) as readonly [keyof NamespaceRow, string][];

const namespaceTable: Table<NamespaceRow> = {
  columns: {
    name: 'text not null',
    display_name: 'text',
    description: 'text',
    visibility: 'text not null',
    protected: 'boolean not null',
    owner: 'text',
    created_at: 'timestamptz(3) not null',
    updated_at: 'timestamptz(3) not null',
    associations: 'jsonb not null',
  },
  storage: 'fillfactor = 80',
  distinct: {},
  // 80 characters, of up to four bytes each.
  longest: { name: 320 },
  indexes: { namespace_by_name: '(name)', namespace_by_age: '(created_at, id)' },
  toJson: (row) =>
    Object.fromEntries(fields.map(([field, column]) => [column, row[field]])) as JsonObject,
  fromJson(json) {
    const row = Object.fromEntries(fields.map(([field, column]) => [field, json[column]]));
    return {
      ...(row as unknown as NamespaceRow),
      createdAt: new Date(json.created_at as string),
      updatedAt: new Date(json.updated_at as string),
    };
  },
};

/** As `json`, not `jsonb`: the order of what clients sent is theirs. */
const contentTable: Table<ContentRow> = {
  columns: { properties: 'json not null', objects: 'json not null', tags: 'json not null' },
  storage: 'fillfactor = 100',
  distinct: {},
  longest: {},
  indexes: {},
  toJson: ({ properties, objects, tags }) =>
    ({ properties, objects, tags }) as unknown as JsonObject,
  fromJson: ({ properties, objects, tags }) =>
    ({ properties, objects, tags }) as unknown as ContentRow,
};

const typesTable: Table<TypesRow> = {
  columns: { types: 'json not null' },
  storage: 'fillfactor = 100',
  distinct: {},
  longest: {},
  indexes: {},
  toJson: ({ types }) => ({ types }),
  fromJson: ({ types }) => ({ types }) as unknown as TypesRow,
};

/** The read model behind `Metadefs`: views `metadefs.namespace`, `metadefs.content` and `metadefs.types`. */
export const metadefsProjection: Projection<MetadefParts> = {
  name: 'metadefs',
  version: 1,
  tables: { namespace: namespaceTable, content: contentTable, types: typesTable },
  keyOf: namespaceIdOf,
  fold,
};
