import { type BulkEvent, type BulkItem, bulkPrefix } from '../../domain/bulk/events.ts';
import { type Bulk, evolve, isPresent, type PresentBulk } from '../../domain/bulk/state.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Entry, Journal, Projection, Table } from '../projection.ts';
import type { BulkRecord } from './imports.ts';

export type BulkParts = { readonly import: BulkRecord };

const importTable: Table<BulkRecord> = {
  columns: {
    project: 'text not null',
    status: 'text not null',
    attempt: 'integer not null',
    revision: 'integer not null',
    created_at: 'timestamptz(3) not null',
    updated_at: 'timestamptz(3) not null',
    state: 'json not null',
  },
  storage: 'fillfactor = 50',
  distinct: {},
  longest: { project: 1020 },
  indexes: {
    import_by_project: '(project, created_at, id)',
    import_by_age: '(created_at, id)',
    import_open: `(id) where status in ('listing', 'running', 'paused', 'cancelling')`,
  },
  toJson({ id, revision, createdAt, updatedAt, ...state }) {
    const { project, status, attempt } = state;
    const times = { created_at: createdAt, updated_at: updatedAt };
    const row = { project, status, attempt, revision, ...times, state };
    return row as unknown as JsonObject;
  },
  fromJson: (json, id) => bulkFrom({ ...(json as unknown as BulkRow), id }),
};

export interface BulkRow {
  readonly id: string;
  readonly revision: number;
  readonly created_at: string | Date;
  readonly updated_at: string | Date;
  readonly state: PresentBulk;
}

export const bulkFrom = ({ id, revision, created_at, updated_at, state }: BulkRow): BulkRecord => ({
  ...state,
  id,
  revision,
  createdAt: new Date(created_at),
  updatedAt: new Date(updated_at),
});

const digits = (value: number): string => String(value).padStart(10, '0');
/** In key order, the items of an import lie together, in their order. */
export const itemKey = (importId: string, item: number): string => `${importId}/${digits(item)}`;

/** What the manifest says of each item, as much as is shown. */
const itemJournal: Journal<BulkParts> = {
  columns: {
    import: 'text not null',
    item: 'integer not null',
    name: 'text',
    source: 'text not null',
    uploaded: 'boolean not null',
    image: 'text not null',
    expected: 'bigint',
  },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: {},
  longest: { image: 1020 },
  indexes: { item_by_image: '(image)' },
  rows(_, recorded) {
    const event = recorded as unknown as BulkEvent;
    if (event.type !== 'BulkItemsListed') return [];
    const importId = idOf(recorded) ?? '';
    const { first, items } = event.data;
    return items.map((item, index) => ({
      id: itemKey(importId, first + index),
      import: importId,
      item: first + index,
      name: item.attributes.name,
      source: shownSource(item),
      uploaded: item.source.kind === 'client',
      image: item.imageId,
      expected: item.expected?.size ?? null,
    }));
  },
};

/** What became of the items; of one that was tried again, once per attempt, the last of them last. */
const outcomeJournal: Journal<BulkParts> = {
  columns: {
    outcome: 'text not null',
    attempt: 'integer not null',
    image: 'text',
    reason: 'text',
    message: 'text',
    bytes: 'bigint',
    started_at: 'timestamptz(3)',
    ended_at: 'timestamptz(3) not null',
  },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: {},
  longest: {},
  indexes: {},
  rows(_, recorded) {
    const event = recorded as unknown as BulkEvent;
    if (event.type !== 'BulkItemSettled') return [];
    const { item, name: _name, imageId, startedAt, ...rest } = event.data;
    return [
      {
        ...rest,
        id: `${itemKey(idOf(recorded) ?? '', item)}/${digits(recorded.revision)}`,
        image: imageId,
        started_at: startedAt,
        ended_at: recorded.recordedAt.toISOString(),
      },
    ];
  },
};

export const idOf = ({ streamId }: Pick<RecordedEvent, 'streamId'>): string | undefined =>
  streamId.startsWith(bulkPrefix) ? streamId.slice(bulkPrefix.length) : undefined;

/** Without user, password, query and fragment: signatures and tokens are in the query. */
export function shownSource({ source }: Pick<BulkItem, 'source'>): string {
  if (source.kind === 'client') return source.label;
  return source.uri.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}

export function foldBulk(entry: Entry<BulkParts>, recorded: RecordedEvent): Entry<BulkParts> {
  const before: Bulk = entry.import ?? { status: 'absent' };
  const after = evolve(before, recorded as unknown as BulkEvent);
  if (!isPresent(after)) return entry;
  const { recordedAt, revision } = recorded;
  const createdAt = entry.import?.createdAt ?? recordedAt;
  const id = idOf(recorded) ?? '';
  return { import: { ...after, id, revision, createdAt, updatedAt: recordedAt } };
}

/** The read model behind `BulkImports`: views `bulk.import`, `bulk.item` and `bulk.outcome`. */
export const bulkProjection: Projection<BulkParts> = {
  name: 'bulk',
  version: 1,
  tables: { import: importTable },
  journals: { item: itemJournal, outcome: outcomeJournal },
  keyOf: idOf,
  fold: foldBulk,
};
