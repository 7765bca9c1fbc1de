import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent, PropertyChange } from '../../domain/image/events.ts';
import type { Entry } from '../projection.ts';
import { type AttemptEvent, foldAttempt, isOfAttempt, over } from './fold-attempt.ts';
import type { ImageRecord, MemberRecord, Work } from './record.ts';

/** What is known of the bytes before `ImageActivated` makes it the image's. */
export type Gathered = Partial<
  Pick<
    ImageRecord,
    'size' | 'virtualSize' | 'checksum' | 'hashAlgorithm' | 'hashValue' | 'locations'
  >
>;

/** An image's row: the record, and what the open upload has gathered so far. */
export interface ImageRow extends ImageRecord {
  readonly gathered: Gathered | null;
}

/** A deleted image that can be restored until `due`; `image` is what it was. */
export interface Kept {
  readonly image: ImageRow;
  readonly due: Date;
}

export type ImageParts = { readonly image: ImageRow; readonly work: Work; readonly kept: Kept };
export type ImageEntry = Entry<ImageParts>;

const prefix = 'image-';

export const imageIdOf = ({ streamId }: RecordedEvent): string | undefined =>
  streamId.startsWith(prefix) ? streamId.slice(prefix.length) : undefined;

/**
 * Takes one event of one image into its rows. `updatedAt` moves at each change of what a client sees. Events of an
 * attempt that is not the open one change nothing, as in the domain's own `evolve`.
 */
export function fold(entry: ImageEntry, recorded: RecordedEvent): ImageEntry {
  const event = recorded as unknown as ImageEvent;
  const imageId = imageIdOf(recorded);
  if (imageId === undefined) return entry;
  const { image, kept } = entry;
  if (event.type === 'ImageCreated')
    return { image: createdImage(imageId, event.data, recorded.recordedAt) };
  if (event.type === 'ImageDataRemoved')
    return image === undefined && kept === undefined ? {} : entry;
  if (kept !== undefined) return foldKept(entry, kept, event, recorded);
  if (image === undefined) return entry;
  return isOfAttempt(event)
    ? foldAttempt({ ...entry, image }, event, recorded)
    : foldImage({ ...entry, image }, event, recorded);
}

function foldImage(
  entry: ImageEntry & { readonly image: ImageRow },
  event: Exclude<ImageEvent, AttemptEvent>,
  recorded: RecordedEvent,
): ImageEntry {
  const { image, work } = entry;
  const changed = (change: Partial<ImageRow>): ImageEntry => ({
    ...entry,
    image: { ...image, ...change, updatedAt: recorded.recordedAt },
  });
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
      return { ...entry, image: { ...image, members: foldMember(image.members, event, recorded) } };
    case 'LocationMetadataChanged': {
      const { locationId, store, to } = event.data;
      const locations = image.locations.map((location) =>
        location.id === locationId && location.store === store
          ? { ...location, metadata: to }
          : location,
      );
      return changed({ locations });
    }
    case 'LocationRemoved': {
      const { locationId, store } = event.data;
      const locations = image.locations.filter(
        (location) => location.id !== locationId || location.store !== store,
      );
      return changed({ locations });
    }
    case 'ImageDeactivated':
      return image.status === 'active' ? changed({ status: 'deactivated' }) : entry;
    case 'ImageReactivated':
      return image.status === 'deactivated' ? changed({ status: 'active' }) : entry;
    case 'ImageDeletionScheduled': {
      const due = new Date(event.data.dueAt);
      return {
        kept: { image: { ...image, imports: over(image.imports), gathered: null }, due },
        work: chore('scrub', image.id, recorded, due),
      };
    }
    case 'ImageDeleted':
      return image.status === 'queued' && work === undefined
        ? {}
        : { work: chore('remove', image.id, recorded, null) };
    case 'ImageCreated':
    case 'ImageRestored':
    case 'LegalHoldPlaced':
    case 'LegalHoldLifted':
    case 'ImageDataRemoved':
    case 'ReservationAbandoned':
      return entry;
  }
}

/** Of a deleted image whose bytes are kept, until it is restored or they go. */
function foldKept(
  entry: ImageEntry,
  { image }: Kept,
  event: ImageEvent,
  recorded: RecordedEvent,
): ImageEntry {
  if (event.type === 'ImageDeleted') return { work: chore('remove', image.id, recorded, null) };
  return event.type === 'ImageRestored'
    ? { image: { ...image, updatedAt: recorded.recordedAt } }
    : entry;
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
  locations: [],
  imports: null,
  failure: null,
  gathered: null,
});

/** Work that belongs to no attempt. */
const chore = (
  kind: 'remove' | 'scrub',
  imageId: string,
  { position, recordedAt, metadata }: RecordedEvent,
  due: Date | null,
): Work => ({
  imageId,
  kind,
  uploadId: null,
  owner: null,
  epoch: 0,
  position,
  since: recordedAt,
  due,
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
