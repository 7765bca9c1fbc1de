import { settledOf } from '../../../domain/bulk/state.ts';
import type { ImportProgress } from '../../../infra/progress/progress.ts';
import type { BulkRecord, InWork, ItemRecord } from '../../../projections/bulk/imports.ts';

const all = '/bulk/v1/imports';

/** A bulk import as it is shown. */
export const bulkDocument = (
  record: BulkRecord,
  inWork: InWork = { fetching: 0, ingesting: 0 },
) => ({
  id: record.id,
  name: record.name,
  status: record.status,
  priority: record.priority,
  project: record.project,
  user: record.authority.userId,
  images: record.items,
  counts: {
    pending: Math.max(0, record.items - settledOf(record) - inWork.fetching - inWork.ingesting),
    ...inWork,
    ...record.counts,
  },
  bytes: record.bytes,
  attempt: record.attempt,
  digest: record.digest,
  created_at: record.createdAt.toISOString(),
  updated_at: record.updatedAt.toISOString(),
  self: `${all}/${record.id}`,
  items: `${all}/${record.id}/items`,
});

/** An item as it is shown. */
export const itemDocument = (
  item: ItemRecord,
  progress?: Pick<ImportProgress, 'done' | 'total' | 'rate' | 'waiting'>,
) => ({
  item: item.item,
  name: item.name,
  status: item.status,
  source: item.source,
  uploaded: item.isUploaded,
  image: item.imageId,
  attempt: item.attempt,
  reason: item.reason,
  /** Why it ended so; of one that is in work, what it waits for. */
  message: item.message ?? progress?.waiting ?? null,
  bytes: item.bytes ?? progress?.done ?? null,
  bytes_total: item.bytes ?? progress?.total ?? item.expectedBytes,
  bytes_per_second: progress?.rate ?? null,
  started_at: item.startedAt?.toISOString() ?? null,
  ended_at: item.endedAt?.toISOString() ?? null,
});
export type ItemDocument = ReturnType<typeof itemDocument>;
