import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { isVisibleTo } from '../../domain/image/visibility.ts';
import { fold, type ImageRow, imageIdOf } from '../../projections/images/fold.ts';
import {
  type Images,
  MarkerInvisible,
  MarkerUnknown,
  type Visible,
} from '../../projections/images/images.ts';
import type { Filter, ListQuery, SortKey } from '../../projections/images/list-query.ts';
import type { ImageRecord } from '../../projections/images/record.ts';

/** The images read model in memory: folded anew from the log at each question, so that it is never behind. */
export function memoryImages(log: EventLog): Images & Visible {
  const rows = async (): Promise<ReadonlyMap<string, ImageRow>> => {
    const images = new Map<string, Parameters<typeof fold>[0]>();
    for (const event of await everything(log)) {
      const id = imageIdOf(event);
      if (id !== undefined) images.set(id, fold(images.get(id) ?? {}, event));
    }
    return new Map(
      [...images].flatMap(([id, { image }]) => (image === undefined ? [] : [[id, image] as const])),
    );
  };
  return {
    show: async (imageId) => (await rows()).get(imageId),
    async list(query) {
      const all = await rows();
      const sorted = [...all.values()]
        .filter((record) => matches(record, query))
        .sort((one, other) => compare(one, other, query));
      return sorted.slice(afterMarker(sorted, all, query)).slice(0, query.limit);
    },
    openWork: async () => [],
    namedKeys: async () => new Set(),
    checkpoint: () => log.head(),
    waitFor: async () => {},
  };
}

async function everything(log: EventLog): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for (;;) {
    const more = await log.readAll(all.at(-1)?.position ?? 0n, 1000);
    if (more.length === 0) return all;
    all.push(...more);
  }
}

function afterMarker(
  sorted: readonly ImageRecord[],
  all: ReadonlyMap<string, ImageRecord>,
  { marker, viewer }: ListQuery,
): number {
  if (marker === undefined) return 0;
  const record = all.get(marker);
  if (record === undefined) throw new MarkerUnknown(marker);
  if (!isVisibleTo(record, viewer)) throw new MarkerInvisible(marker);
  return sorted.findIndex(({ id }) => id === marker) + 1;
}

function matches(record: ImageRecord, query: ListQuery): boolean {
  const { filters, hidden, visibility } = query;
  return (
    isListed(record, query) &&
    (visibility === undefined || visibility === 'all' || record.visibility === visibility) &&
    record.hidden === hidden &&
    filters.every((filter) => holds(filter, record))
  );
}

function isListed(
  { members, owner, visibility }: ImageRecord,
  { memberStatus, viewer, visibility: asked }: ListQuery,
): boolean {
  if (owner !== null && owner === viewer.projectId) return true;
  if (visibility === 'community') return asked !== undefined;
  if (viewer.isAdmin || visibility === 'public') return true;
  if (visibility === 'private') return false;
  const status = members.find(({ projectId }) => projectId === viewer.projectId)?.status;
  return status !== undefined && (memberStatus === 'all' || status === memberStatus);
}

function holds(filter: Filter, record: ImageRecord): boolean {
  switch (filter.kind) {
    case 'one-of':
      return filter.values.includes(String(sortValue(record, filter.field)));
    case 'text':
      return filter.value === textField(record, filter.field);
    case 'number': {
      const value = numberField(record, filter.field);
      if (value === null) return false;
      if (filter.comparison === 'gte') return value >= filter.value;
      return filter.comparison === 'lte' ? value <= filter.value : value === filter.value;
    }
    case 'time':
      return timeHolds(filter, record);
    case 'protected':
      return record.protected === filter.value;
    case 'tag':
      return record.tags.includes(filter.value);
    case 'property':
      return (
        Object.hasOwn(record.properties, filter.name) &&
        record.properties[filter.name] === filter.value
      );
  }
}

const textField = (record: ImageRecord, field: (Filter & { kind: 'text' })['field']) =>
  ({
    owner: record.owner,
    checksum: record.checksum,
    os_hash_algo: record.hashAlgorithm,
    os_hash_value: record.hashValue,
  })[field];

const numberField = (record: ImageRecord, field: (Filter & { kind: 'number' })['field']) =>
  ({
    min_disk: record.minDisk,
    min_ram: record.minRam,
    size: record.size,
    virtual_size: record.virtualSize,
  })[field];

function timeHolds(filter: Filter & { kind: 'time' }, record: ImageRecord): boolean {
  const time = filter.field === 'created_at' ? record.createdAt : record.updatedAt;
  const seconds = Math.floor(time.getTime() / 1000);
  const wanted = filter.value.getTime() / 1000;
  switch (filter.comparison) {
    case 'gt':
      return seconds > wanted;
    case 'gte':
      return seconds >= wanted;
    case 'lt':
      return seconds < wanted;
    case 'lte':
      return seconds <= wanted;
    case 'eq':
      return seconds === wanted;
    case 'neq':
      return seconds !== wanted;
  }
}

function sortValue(record: ImageRecord, key: SortKey): string | number {
  switch (key) {
    case 'id':
    case 'status':
      return record[key];
    case 'name':
      return record.name ?? '';
    case 'disk_format':
      return record.diskFormat ?? '';
    case 'container_format':
      return record.containerFormat ?? '';
    case 'size':
      return record.size ?? 0;
    case 'created_at':
      return record.createdAt.getTime();
    case 'updated_at':
      return record.updatedAt.getTime();
  }
}

function compare(one: ImageRecord, other: ImageRecord, { sort }: ListQuery): number {
  for (const { key, direction } of sort) {
    const [a, b] = [sortValue(one, key), sortValue(other, key)];
    if (a !== b) return (a < b ? -1 : 1) * (direction === 'asc' ? 1 : -1);
  }
  return 0;
}
