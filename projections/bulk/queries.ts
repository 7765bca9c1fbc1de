import type { Pool } from 'pg';
import type { BulkImports, InWork, ItemRecord, ItemStatus } from './imports.ts';
import { type BulkRow, bulkFrom, itemKey } from './projection.ts';

const selected = 'select id, revision, created_at, updated_at, state from bulk.import';

/** Queries over the views of the read model, and of images for how far items are. */
export function bulkQueries(pool: Pool): BulkImports {
  const imports = async (name: string, rest: string, values: readonly unknown[] = []) => {
    const query = { name: `bulk-${name}`, text: `${selected} ${rest}`, values: [...values] };
    return (await pool.query<BulkRow>(query)).rows.map(bulkFrom);
  };
  return {
    show: async (importId) => (await imports('show', 'where id = $1', [importId]))[0],
    list: ({ viewer, project, statuses, marker, limit }) =>
      imports(
        'list',
        `
        where ($1::boolean or project = $2::text)
          and ($3::text is null or project = $3::text)
          and ($4::text[] is null or status = any ($4::text[]))
          and ($5::text is null
            or (created_at, id) < (select m.created_at, m.id from bulk.import as m where m.id = $5::text))
        order by created_at desc, id desc
        limit $6::integer`,
        [viewer.isAdmin, viewer.projectId, project, statuses, marker, limit].map(
          (value) => value ?? null,
        ),
      ),
    async items(importId, { statuses, after, limit }) {
      const { rows } = await pool.query<ItemRow>({
        name: 'bulk-items',
        text: itemsText,
        values: [
          importId,
          after < 0 ? `${importId}/` : itemKey(importId, after),
          statuses ?? null,
          limit,
        ],
      });
      return rows.map(itemFrom);
    },
    async inWork(importId) {
      const { rows } = await pool.query<InWork>({
        name: 'bulk-in-work',
        text: inWorkText,
        values: [importId],
      });
      return rows[0] ?? { fetching: 0, ingesting: 0 };
    },
    open: () =>
      imports('open', `where status in ('listing', 'running', 'paused', 'cancelling') order by id`),
  };
}

/** Of an attempt to fill an image: whether all of its bytes are here. */
const fetched = `(work.kind = 'ingest' and (image.status = 'saving' or image.gathered -> 'size' is not null))`;

/** An item that failed is pending again once its import is tried again. Each join is by a key, so that a page costs a page. */
const itemsText = `
  select *
  from (
    select
      item.id as key, item.item, item.name, item.source, item.uploaded, item.expected::text,
      coalesce(last.image, item.image) as image, work.upload_id,
      last.attempt, last.reason, last.message, last.bytes::text, last.started_at, last.ended_at,
      case
        when last.outcome <> 'failed' or last.attempt = whole.attempt then last.outcome
        when whole.status = 'cancelled' then 'cancelled'
        when ${fetched} then 'ingesting'
        when work.id is not null then 'fetching'
        else 'pending'
      end as status
    from bulk.import as whole
      join bulk.item on item.import = whole.id
      left join lateral (
        select * from bulk.outcome
        where outcome.id > item.id || '/' and outcome.id < item.id || '0'
        order by outcome.id desc
        limit 1
      ) as last on true
      left join images.work on work.id = item.image
      left join images.image on image.id = work.id
    where whole.id = $1::text and item.id > $2::text and item.id < $1::text || '0'
  ) as found
  where $3::text[] is null or status = any ($3::text[])
  order by key
  limit $4::integer`;

const inWorkText = `
  select
    (count(*) filter (where not ${fetched}))::integer as fetching,
    (count(*) filter (where ${fetched}))::integer as ingesting
  from images.work
    join images.image on image.id = work.id
    join bulk.item on item.image = work.id
  where item.import = $1::text`;

interface ItemRow {
  readonly item: number;
  readonly name: string | null;
  readonly source: string;
  readonly uploaded: boolean;
  readonly expected: string | null;
  readonly image: string;
  readonly upload_id: string | null;
  readonly attempt: number | null;
  readonly reason: string | null;
  readonly message: string | null;
  readonly bytes: string | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  readonly status: ItemStatus;
}

const numberOf = (value: string | null): number | null => (value === null ? null : Number(value));

const itemFrom = (row: ItemRow): ItemRecord => ({
  item: row.item,
  name: row.name,
  source: row.source,
  isUploaded: row.uploaded,
  status: row.status,
  imageId: row.image,
  uploadId: row.upload_id,
  attempt: row.attempt,
  reason: row.reason,
  message: row.message,
  bytes: numberOf(row.bytes),
  expectedBytes: numberOf(row.expected),
  startedAt: row.started_at,
  endedAt: row.ended_at,
});
