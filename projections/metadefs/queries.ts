import type { Pool } from 'pg';
import type { Metadefs, NamespaceQuery, SortKey } from './metadefs.ts';
import { columnOf } from './projection.ts';
import type { Dated, NamespaceRecord, NamespaceSummary } from './record.ts';

interface SummaryRow {
  readonly id: string;
  readonly name: string;
  readonly display_name: string | null;
  readonly description: string | null;
  readonly visibility: 'public' | 'private';
  readonly protected: boolean;
  readonly owner: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly associations: readonly Dated[];
}

type RecordRow = SummaryRow & Pick<NamespaceRecord, 'properties' | 'objects' | 'tags'>;

const columns = Object.values(columnOf).join(', ');

/** Queries over the views of the read model, which name the live generation: each sees one generation only. */
export function metadefQueries(pool: Pool): Metadefs {
  return {
    async show(name) {
      if (!storable(name)) return undefined;
      const { rows } = await pool.query<RecordRow>({
        name: 'metadefs-show',
        text: `
          select ${columns}, properties, objects, tags
          from metadefs.namespace
          join metadefs.content using (id)
          where name = $1`,
        values: [name],
      });
      const row = rows[0];
      if (row === undefined) return undefined;
      const { properties, objects, tags } = row;
      return { ...summaryFrom(row), properties, objects, tags };
    },
    async list(query) {
      if (query.limit === 0) return [];
      const { rows } = await pool.query<SummaryRow>(listStatement(query));
      return rows.map(summaryFrom);
    },
    async resourceTypes() {
      const { rows } = await pool.query<{ name: string; created_at: Date }>({
        name: 'metadefs-resource-types',
        text: `
          select type->>'name' as name, min((type->>'createdAt')::timestamptz) as created_at
          from metadefs.types, json_array_elements(types) as type
          group by 1
          order by (type->>'name') collate "C"`,
      });
      return rows.map(({ name, created_at: createdAt }) => ({ name, createdAt }));
    },
    async names() {
      const { rows } = await pool.query<{ name: string }>(
        'select name from metadefs.namespace order by name',
      );
      return rows.map(({ name }) => name);
    },
  };
}

/** Nothing is null in what is sorted by, so that rows compare. */
const sortedBy = {
  created_at: 'created_at',
  updated_at: 'updated_at',
  id: 'id',
  namespace: 'name',
  display_name: `coalesce(display_name, '')`,
  description: `coalesce(description, '')`,
  visibility: 'visibility',
  protected: 'protected',
  owner: `coalesce(owner, '')`,
} as const satisfies Record<SortKey, string>;

function listStatement({
  viewer,
  visibility,
  resourceTypes,
  sort,
  marker,
  limit,
}: NamespaceQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const keys = [...new Set([sort.key, 'created_at', 'id'] as const)].map((key) => sortedBy[key]);
  const conditions = [
    viewer.isAdmin
      ? undefined
      : `(visibility = 'public' or owner is null or owner = ${value(viewer.projectId)})`,
    visibility === undefined ? undefined : `visibility = ${value(visibility)}`,
    resourceTypes === undefined
      ? undefined
      : `exists (
          select from jsonb_array_elements(associations) as association
          where association->>'name' = any (${value(resourceTypes)}::text[])
        )`,
    marker === undefined
      ? undefined
      : `(${keys.join(', ')}) ${sort.direction === 'asc' ? '>' : '<'} (
          select ${keys.join(', ')} from metadefs.namespace where name = ${value(marker)}
        )`,
  ].filter((condition) => condition !== undefined);
  const text = `
    select ${columns}
    from metadefs.namespace
    ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}
    order by ${keys.map((key) => `${key} ${sort.direction}`).join(', ')}
    limit ${value(limit)}`;
  return { text, values };
}

const summaryFrom = (row: SummaryRow): NamespaceSummary => ({
  id: row.id,
  namespace: row.name,
  displayName: row.display_name,
  description: row.description,
  visibility: row.visibility,
  protected: row.protected,
  owner: row.owner,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  associations: row.associations,
});

/** Postgres has no text with NUL, so nothing that it holds equals one. */
const storable = (text: string): boolean => !text.includes('\0');
