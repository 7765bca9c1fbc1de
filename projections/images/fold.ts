import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent, PropertyChange } from '../../domain/image/events.ts';
import type { Entry } from '../projection.ts';
import type { ImageRecord, MemberRecord, Work } from './record.ts';

/** What is known of the bytes before `ImageActivated` makes it the image's. */
export type Gathered = Partial<
  Pick<
    ImageRecord,
    'size' | 'virtualSize' | 'checksum' | 'hashAlgorithm' | 'hashValue' | 'store' | 'storeKey'
  >
>;

/** An image's row: the record, and what the open upload has gathered so far. */
export interface ImageRow extends ImageRecord {
  readonly gathered: Gathered | null;
}

export type ImageParts = { readonly image: ImageRow; readonly work: Work };
export type ImageEntry = Entry<ImageParts>;

const prefix = 'image-';

export const imageIdOf = ({ streamId }: RecordedEvent): string | undefined =>
  streamId.startsWith(prefix) ? streamId.slice(prefix.length) : undefined;

/**
 * Takes one event of one image into its rows. `updatedAt` moves at each change of what a client sees. Events of an
 * upload that is not the open one change nothing, as in the domain's own `evolve`.
 */
export function fold(entry: ImageEntry, recorded: RecordedEvent): ImageEntry {
  const event = recorded as unknown as ImageEvent;
  const imageId = imageIdOf(recorded);
  if (imageId === undefined) return entry;
  const { image, work } = entry;
  if (event.type === 'ImageCreated')
    return { image: createdImage(imageId, event.data, recorded.recordedAt), work: undefined };
  if (event.type === 'ImageDataRemoved') return image === undefined ? {} : entry;
  if (image === undefined) return entry;

  const changed = (change: Partial<ImageRow>): ImageEntry => ({
    image: { ...image, ...change, updatedAt: recorded.recordedAt },
    work,
  });
  const now = { position: recorded.position, since: recorded.recordedAt };
  switch (event.type) {
    case 'ImageUpdated': {
      const fields = Object.fromEntries(event.data.changes.map(({ field, to }) => [field, to]));
      const properties = changedProperties(image.properties, event.data.properties);
      return changed({ ...fields, properties });
    }
    case 'VisibilityChanged':
      return changed({ visibility: event.data.to });
    case 'ProtectionChanged':
      return changed({ protected: event.data.to });
    case 'TagAdded':
      return changed({ tags: [...image.tags, event.data.tag] });
    case 'TagRemoved':
      return changed({ tags: image.tags.filter((tag) => tag !== event.data.tag) });
    case 'MemberAdded':
    case 'MemberStatusChanged':
    case 'MemberRemoved':
      return { image: { ...image, members: foldMember(image.members, event, recorded) }, work };
    case 'ImageDeactivated':
      return image.status === 'active' ? changed({ status: 'deactivated' }) : entry;
    case 'ImageReactivated':
      return image.status === 'deactivated' ? changed({ status: 'active' }) : entry;
    case 'ImageDeleted':
      return {
        image: undefined,
        work: image.status === 'queued' ? undefined : removal(imageId, recorded),
      };
    case 'UploadStarted':
      if (image.status !== 'queued') return entry;
      return {
        ...changed({ status: 'saving', failure: null, gathered: {} }),
        work: {
          imageId,
          kind: 'receive',
          uploadId: event.data.uploadId,
          owner: event.data.owner,
          epoch: 0,
          ...now,
          correlationId: recorded.metadata.correlationId,
        },
      };
    default:
      return work?.uploadId === event.data.uploadId
        ? foldUpload({ image, work }, event, recorded)
        : entry;
  }
}

type MemberEvent = Extract<
  ImageEvent,
  { type: 'MemberAdded' | 'MemberStatusChanged' | 'MemberRemoved' }
>;

/** Members have times of their own: whom an image is shared with does not move its `updatedAt`. */
function foldMember(
  members: readonly MemberRecord[],
  event: MemberEvent,
  { recordedAt: at }: RecordedEvent,
): readonly MemberRecord[] {
  const projectId = event.data.member;
  switch (event.type) {
    case 'MemberAdded':
      return [...members, { projectId, status: 'pending', createdAt: at, updatedAt: at }];
    case 'MemberStatusChanged':
      return members.map((member) =>
        member.projectId === projectId
          ? { ...member, status: event.data.to, updatedAt: at }
          : member,
      );
    case 'MemberRemoved':
      return members.filter((member) => member.projectId !== projectId);
  }
}

type UploadEvent = Extract<
  ImageEvent,
  {
    type:
      | 'UploadStaged'
      | 'UploadAborted'
      | 'IngestClaimed'
      | 'IngestReleased'
      | 'ImageDataStored'
      | 'ImageDigested'
      | 'DiskFormatInspected'
      | 'ImageActivated'
      | 'IngestFailed';
  }
>;

/** An event of the open upload. */
function foldUpload(
  entry: { readonly image: ImageRow; readonly work: Work },
  event: UploadEvent,
  { position, recordedAt }: RecordedEvent,
): ImageEntry {
  const { image, work } = entry;
  const working = (change: Partial<Work>): ImageEntry => ({
    image,
    work: { ...work, ...change, position, since: recordedAt },
  });
  const gathering = (more: Gathered): ImageEntry => ({
    image: { ...image, gathered: { ...image.gathered, ...more } },
    work,
  });
  const ended = (change: Partial<ImageRow>): ImageEntry => ({
    image: { ...image, ...change, gathered: null, updatedAt: recordedAt },
    work: undefined,
  });
  switch (event.type) {
    case 'UploadStaged':
      return working({ kind: 'ingest', owner: null });
    case 'IngestClaimed':
      return working({ owner: event.data.owner, epoch: event.data.epoch });
    case 'IngestReleased':
      return work.epoch === event.data.epoch ? working({ owner: null }) : entry;
    case 'ImageDataStored': {
      const { size, store, key } = event.data;
      return gathering({ size, store, storeKey: key });
    }
    case 'ImageDigested': {
      const { digests, algorithm } = event.data;
      return gathering({
        checksum: digests.md5 ?? null,
        hashAlgorithm: algorithm,
        hashValue: digests[algorithm] ?? null,
      });
    }
    case 'DiskFormatInspected':
      return gathering({ virtualSize: event.data.virtualSize });
    case 'ImageActivated':
      return ended({ ...image.gathered, status: 'active' });
    case 'UploadAborted':
    case 'IngestFailed':
      return ended({ status: 'queued', failure: event.data.message });
  }
}

const createdImage = (id: string, attributes: Attributes, at: Date): ImageRow => ({
  id,
  name: attributes.name,
  status: 'queued',
  visibility: attributes.visibility,
  owner: attributes.owner,
  protected: attributes.protected,
  hidden: attributes.hidden,
  diskFormat: attributes.diskFormat,
  containerFormat: attributes.containerFormat,
  size: null,
  virtualSize: null,
  checksum: null,
  hashAlgorithm: null,
  hashValue: null,
  minDisk: attributes.minDisk,
  minRam: attributes.minRam,
  tags: attributes.tags,
  properties: attributes.properties,
  members: [],
  createdAt: at,
  updatedAt: at,
  store: null,
  storeKey: null,
  failure: null,
  gathered: null,
});

const removal = (imageId: string, { position, recordedAt, metadata }: RecordedEvent): Work => ({
  imageId,
  kind: 'remove',
  uploadId: null,
  owner: null,
  epoch: 0,
  position,
  since: recordedAt,
  correlationId: metadata.correlationId,
});

function changedProperties(
  before: Readonly<Record<string, string>>,
  changes: readonly PropertyChange[],
): Readonly<Record<string, string>> {
  if (changes.length === 0) return before;
  const after = new Map(Object.entries(before));
  for (const { property, to } of changes)
    if (to === null) after.delete(property);
    else after.set(property, to);
  return Object.fromEntries(after);
}
