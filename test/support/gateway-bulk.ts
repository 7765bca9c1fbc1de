import type { BulkEvent, Settled } from '../../domain/bulk/events.ts';
import { isOver } from '../../domain/bulk/state.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type {
  BulkImports,
  BulkRecord,
  ItemRecord,
  ItemStatus,
} from '../../projections/bulk/imports.ts';
import { foldBulk, idOf, shownSource } from '../../projections/bulk/projection.ts';

/** The read model of bulk imports in memory: folded anew from the log at each question. */
export function memoryBulk(log: Pick<EventLog, 'readAll'>): BulkImports {
  const events = async (): Promise<readonly RecordedEvent[]> =>
    (await log.readAll(0n, Number.MAX_SAFE_INTEGER)).filter((event) => idOf(event) !== undefined);

  const all = async (): Promise<readonly BulkRecord[]> => {
    const records = new Map<string, BulkRecord>();
    for (const event of await events()) {
      const id = idOf(event) ?? '';
      const { import: record } = foldBulk({ import: records.get(id) }, event);
      if (record !== undefined) records.set(id, record);
    }
    return [...records.values()];
  };
  const show = async (importId: string): Promise<BulkRecord | undefined> =>
    (await all()).find(({ id }) => id === importId);

  const items = async (importId: string): Promise<readonly ItemRecord[]> => {
    const record = await show(importId);
    const mine = (await events()).filter((event) => idOf(event) === importId);
    const imaged = await imagesBegun(log);
    const found: ItemRecord[] = [];
    for (const recorded of mine) {
      const event = recorded as unknown as BulkEvent;
      if (event.type === 'BulkItemsListed')
        for (const [index, item] of event.data.items.entries())
          found.push({
            item: event.data.first + index,
            name: item.attributes.name,
            source: shownSource(item),
            isUploaded: item.source.kind === 'client',
            status: imaged.has(item.imageId) ? 'fetching' : 'pending',
            imageId: item.imageId,
            uploadId: null,
            expectedBytes: item.expected?.size ?? null,
            ...nothingYet,
          });
      if (event.type === 'BulkItemSettled') {
        const { item } = event.data;
        const before = found[item];
        if (before !== undefined)
          found[item] = settled(before, event.data, event.data.attempt, recorded.recordedAt);
      }
    }
    return found.map((one) => ({ ...one, status: statusIn(record, one) }));
  };

  return {
    show,
    list: async ({ viewer, project, statuses, marker, limit }) => {
      const shown = (await all())
        .filter((one) => viewer.isAdmin || one.project === viewer.projectId)
        .filter((one) => project === undefined || one.project === project)
        .filter(({ status }) => statuses === undefined || statuses.includes(status))
        .reverse();
      return shown.slice(shown.findIndex(({ id }) => id === marker) + 1).slice(0, limit);
    },
    items: async (importId, { statuses, after, limit }) =>
      (await items(importId))
        .filter(({ item }) => item > after)
        .filter(({ status }) => statuses === undefined || statuses.includes(status))
        .slice(0, limit),
    inWork: async (importId) => {
      const fetching = (await items(importId)).filter(({ status }) => status === 'fetching');
      return { fetching: fetching.length, ingesting: 0 };
    },
    open: async () => (await all()).filter((record) => !isOver(record)),
  };
}

const nothingYet = {
  attempt: null,
  reason: null,
  message: null,
  bytes: null,
  startedAt: null,
  endedAt: null,
};

const settled = (
  before: ItemRecord,
  { imageId, outcome, reason, message, bytes, startedAt }: Settled,
  attempt: number,
  endedAt: Date,
): ItemRecord => ({
  ...before,
  ...{ status: outcome, attempt, reason, message, bytes, endedAt },
  imageId: imageId ?? before.imageId,
  startedAt: startedAt === null ? null : new Date(startedAt),
});

function statusIn(record: BulkRecord | undefined, { status, attempt }: ItemRecord): ItemStatus {
  if (status === 'failed' && attempt !== record?.attempt) return 'pending';
  if (record?.status === 'cancelled' && attempt === null) return 'cancelled';
  return status;
}

async function imagesBegun(log: Pick<EventLog, 'readAll'>): Promise<ReadonlySet<string>> {
  const begun = new Set<string>();
  for (const { type, streamId } of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
    const id = streamId.slice('image-'.length);
    if (type === 'ImportRequested' || type === 'UploadStarted') begun.add(id);
    if (type === 'ImportCompleted' || type === 'IngestFailed' || type === 'UploadAborted')
      begun.delete(id);
  }
  return begun;
}
