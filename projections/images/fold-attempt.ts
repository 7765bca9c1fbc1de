import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { inserted } from '../../domain/image/locations.ts';
import type { Location } from '../../domain/image/state.ts';
import type { Gathered, ImageEntry, ImageRow } from './fold.ts';
import type { Imports, Work } from './record.ts';

/** Events of an attempt to fill an image, and of the places where its bytes come to lie. */
export type AttemptEvent = Extract<ImageEvent, { type: (typeof attemptTypes)[number] }>;

const attemptTypes = [
  'UploadStarted',
  'UploadStaged',
  'UploadAborted',
  'ImportRequested',
  'ImportCompleted',
  'ImportAdvanced',
  'ImportFetched',
  'ImportStoreFailed',
  'IngestClaimed',
  'IngestReleased',
  'ImageDataStored',
  'LocationAdded',
  'ImageDigested',
  'DiskFormatInspected',
  'ImageActivated',
  'IngestFailed',
] as const satisfies readonly ImageEvent['type'][];

const types: ReadonlySet<string> = new Set(attemptTypes);

export const isOfAttempt = (event: ImageEvent): event is AttemptEvent => types.has(event.type);

type Present = ImageEntry & { readonly image: ImageRow };
type Open = Present & { readonly work: Work };

/** Until the image has bytes, what an attempt finds is gathered; afterwards it is the image's at once. */
export function foldAttempt(
  entry: Present,
  event: AttemptEvent,
  recorded: RecordedEvent,
): ImageEntry {
  const { image, work } = entry;
  if (event.type === 'UploadStarted' || event.type === 'ImportRequested')
    return begun(entry, event, recorded);
  if (event.type === 'LocationAdded') {
    const { locationId: id, store, url, metadata, size, digests, algorithm, at } = event.data;
    const location = { id, store, key: url, ours: false, metadata };
    return located(entry, location, { size, ...shownDigests(digests, algorithm) }, recorded, at);
  }
  if (work === undefined || work.uploadId !== event.data.uploadId) return entry;
  return foldOpen({ ...entry, image, work }, event, recorded);
}

function begun(
  entry: Present,
  event: AttemptEvent & { readonly type: 'UploadStarted' | 'ImportRequested' },
  recorded: RecordedEvent,
): ImageEntry {
  const { image, work } = entry;
  const { uploadId } = event.data;
  const attempt = (kind: Work['kind'], owner: string | null): Work => ({
    imageId: image.id,
    kind,
    uploadId,
    owner,
    epoch: 0,
    position: recorded.position,
    since: recorded.recordedAt,
    due: null,
    correlationId: recorded.metadata.correlationId,
  });
  const changed = (change: Partial<ImageRow>): ImageRow => ({
    ...image,
    ...change,
    failure: null,
    gathered: {},
    updatedAt: recorded.recordedAt,
  });
  if (event.type === 'UploadStarted') {
    if (image.status !== 'queued' || work !== undefined) return entry;
    const status = event.data.purpose === 'stage' ? 'uploading' : 'saving';
    return { ...entry, image: changed({ status }), work: attempt('receive', event.data.owner) };
  }
  if (work !== undefined && work.uploadId !== uploadId) return entry;
  const { method, stores } = event.data;
  const location = method.name === 'location' ? method : undefined;
  const rests = hasBytes(image) || (location !== undefined && location.validation === null);
  const failed = (image.imports?.failed ?? []).filter((store) => !stores.includes(store));
  const imports =
    location === undefined
      ? { taskId: uploadId, to: stores, failed }
      : { taskId: uploadId, to: null, failed: [] };
  return {
    ...entry,
    image: changed({ status: rests ? image.status : 'importing', imports }),
    work: attempt('ingest', null),
  };
}

/** An event of the open attempt. */
function foldOpen(
  entry: Open,
  event: Exclude<AttemptEvent, { type: 'UploadStarted' | 'ImportRequested' | 'LocationAdded' }>,
  recorded: RecordedEvent,
): ImageEntry {
  const { image, work } = entry;
  const { position, recordedAt } = recorded;
  const working = (change: Partial<Work>, more: Partial<ImageRow> = {}): ImageEntry => ({
    ...entry,
    image: { ...image, ...more },
    work: { ...work, ...change, position, since: recordedAt },
  });
  const ended = (change: Partial<ImageRow>): ImageEntry => ({
    ...entry,
    image: { ...image, ...change, gathered: null, updatedAt: recordedAt },
    work: undefined,
  });
  switch (event.type) {
    case 'UploadStaged':
      return image.status === 'uploading'
        ? working({ kind: 'stage', owner: null }, { size: event.data.size, updatedAt: recordedAt })
        : working({ kind: 'ingest', owner: null });
    case 'IngestClaimed':
      return working({ owner: event.data.owner, epoch: event.data.epoch });
    case 'IngestReleased':
      return work.epoch === event.data.epoch ? working({ owner: null }) : entry;
    case 'ImageDataStored': {
      const { size, store, key } = event.data;
      const location = { id: key, store, key, ours: true, metadata: {} };
      return located(withoutTarget(entry, store), location, { size }, recorded);
    }
    case 'ImageDigested':
      return known(entry, shownDigests(event.data.digests, event.data.algorithm), recorded);
    case 'DiskFormatInspected':
      return known(entry, { virtualSize: event.data.virtualSize }, recorded);
    case 'ImageActivated': {
      const active = { ...image.gathered, status: 'active' } as const;
      return image.imports?.taskId === work.uploadId
        ? { ...entry, image: { ...image, ...active, gathered: null, updatedAt: recordedAt } }
        : ended(active);
    }
    case 'ImportAdvanced':
      return entry;
    case 'ImportFetched':
      return known(entry, { size: event.data.size }, recorded);
    case 'ImportStoreFailed':
      return withoutTarget(entry, event.data.store, recordedAt);
    case 'ImportCompleted':
      return ended({ imports: over(image.imports) });
    case 'UploadAborted':
    case 'IngestFailed': {
      const imports = over(image.imports);
      return hasBytes(image)
        ? ended({ imports })
        : ended({ imports, status: 'queued', size: null, failure: event.data.message });
    }
  }
}

/** Bytes at a place: the first that an image with no attempt gets makes it active. */
function located(
  entry: Present,
  location: Location,
  more: Gathered,
  { recordedAt }: RecordedEvent,
  at: number | null = null,
): ImageEntry {
  const { image, work } = entry;
  const others = (locations: readonly Location[]): readonly Location[] =>
    locations.filter(({ id, store }) => id !== location.id || store !== location.store);
  if (hasBytes(image)) {
    const locations = inserted(others(image.locations), location, at);
    return { ...entry, image: { ...image, locations, updatedAt: recordedAt } };
  }
  const locations = [...others(image.gathered?.locations ?? []), location];
  const found = { ...image.gathered, ...more, locations };
  return work === undefined
    ? {
        ...entry,
        image: { ...image, ...found, status: 'active', gathered: null, updatedAt: recordedAt },
      }
    : { ...entry, image: { ...image, gathered: found } };
}

function known(entry: Present, more: Gathered, { recordedAt }: RecordedEvent): ImageEntry {
  const { image } = entry;
  return hasBytes(image)
    ? { ...entry, image: { ...image, ...more, updatedAt: recordedAt } }
    : { ...entry, image: { ...image, gathered: { ...image.gathered, ...more } } };
}

/** A store is done with: the bytes are there, or are not going to be, which moves nothing else that a client sees. */
const withoutTarget = (entry: Present, store: string, failedAt?: Date): Present => {
  const { image } = entry;
  const { imports } = image;
  if (imports === null || imports.to === null) return entry;
  const to = imports.to.filter((target) => target !== store);
  return failedAt === undefined
    ? { ...entry, image: { ...image, imports: { ...imports, to } } }
    : {
        ...entry,
        image: {
          ...image,
          imports: { ...imports, to, failed: [...imports.failed, store] },
          updatedAt: failedAt,
        },
      };
};

/** What is left of an import that ended: stores that were not written by then failed. Of an upload nothing is said. */
export const over = (imports: Imports | null): Imports | null =>
  imports?.taskId == null
    ? imports
    : {
        taskId: null,
        to: imports.to === null ? null : [],
        failed: [...imports.failed, ...(imports.to ?? [])],
      };

const hasBytes = ({ status }: ImageRow): boolean => status === 'active' || status === 'deactivated';

const shownDigests = (
  digests: Readonly<Record<string, string>>,
  algorithm: string | null,
): Gathered => ({
  checksum: digests.md5 ?? null,
  hashAlgorithm: algorithm,
  hashValue: algorithm === null ? null : (digests[algorithm] ?? null),
});
