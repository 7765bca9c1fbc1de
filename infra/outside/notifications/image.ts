import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { ImageEvent } from '../../../domain/image/events.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { fold, type ImageEntry, imageIdOf } from '../../../projections/images/fold.ts';
import type { ImageRecord, MemberRecord } from '../../../projections/images/record.ts';
import { isoTime, type Notification, told } from './envelope.ts';
import { type Task, taskAfter, taskNotifications } from './task.ts';

/** What notifications about an image are made from. */
export interface ImageKnown {
  readonly entry: ImageEntry;
  /** The last import. */
  readonly task: Task | null;
}

export const nothingKnown: ImageKnown = { entry: {}, task: null };

export const imageKnownAfter = (known: ImageKnown, event: RecordedEvent): ImageKnown => ({
  entry: fold(known.entry, event),
  task: taskAfter(known.task, known.entry.image?.owner ?? null, event),
});

/** `before` is what the image's earlier events gave. Never locations: they may hold credentials. */
export function imageNotifications(
  recorded: RecordedEvent,
  before: ImageKnown,
): readonly Notification[] {
  const after = imageKnownAfter(before, recorded);
  return [
    ...ofImage(recorded, before.entry.image, after.entry),
    ...taskNotifications(recorded, before.task, after.task),
  ];
}

function ofImage(
  recorded: RecordedEvent,
  was: ImageRecord | undefined,
  { image, kept }: ImageEntry,
): readonly Notification[] {
  const event = recorded as unknown as ImageEvent;
  const update =
    image !== undefined && was !== undefined && image.updatedAt !== was.updatedAt
      ? [told('image.update', imagePayload(image))]
      : [];
  switch (event.type) {
    case 'ImageCreated':
      return image === undefined ? [] : [told('image.create', imagePayload(image))];
    case 'UploadStarted':
      return image === undefined || event.data.purpose === 'stage'
        ? update
        : [...update, prepared(image, event.data.store)];
    case 'ImageDataStored':
      // Of an import each store is told; an upload has one, which is told when the image is active.
      return image?.imports?.taskId === event.data.uploadId
        ? [prepared(image, event.data.store), uploaded(image), ...update]
        : [];
    case 'ImageActivated':
      if (image === undefined || update.length === 0) return [];
      return [
        ...(was?.imports?.taskId === event.data.uploadId ? [] : [uploaded(image)]),
        told('image.activate', imagePayload(image)),
        ...update,
      ];
    case 'UploadAborted':
    case 'IngestFailed':
      return [
        ...(was?.status === 'uploading' || update.length === 0 ? [] : [failed(event.data.message)]),
        ...update,
      ];
    case 'ImageDeleted':
    case 'ImageDeletionScheduled':
      return was === undefined ? [] : [deleted(was, kept !== undefined, recorded)];
    case 'MemberAdded':
    case 'MemberStatusChanged':
    case 'MemberRemoved':
      return memberNotifications(recorded, event, was?.members ?? [], image?.members ?? []);
    default:
      return update;
  }
}

const list = (value: readonly string[] | null | undefined): readonly string[] => value ?? [];

const importing = ({ imports }: ImageRecord): JsonObject => ({
  os_glance_importing_to_stores: [...list(imports?.to)],
  os_glance_failed_import: [...list(imports?.failed)],
});

const prepared = (image: ImageRecord, backend: string): Notification =>
  told('image.prepare', { ...imagePayload(image), ...importing(image), backend });

const uploaded = (image: ImageRecord): Notification =>
  told('image.upload', { ...imagePayload(image), ...importing(image) });

const failed = (message: string): Notification => ({
  type: 'image.upload',
  priority: 'error',
  payload: message,
});

const deleted = (was: ImageRecord, isKept: boolean, { recordedAt }: RecordedEvent): Notification =>
  told('image.delete', {
    ...imagePayload({ ...was, updatedAt: recordedAt }),
    status: isKept ? 'pending_delete' : 'deleted',
    deleted: true,
    deleted_at: isoTime(recordedAt),
  });

export const imagePayload = (image: ImageRecord): JsonObject => ({
  id: image.id,
  name: image.name,
  status: image.status,
  created_at: isoTime(image.createdAt),
  updated_at: isoTime(image.updatedAt),
  min_disk: image.minDisk,
  min_ram: image.minRam,
  protected: image.protected,
  checksum: image.checksum,
  owner: image.owner,
  disk_format: image.diskFormat,
  container_format: image.containerFormat,
  size: image.size,
  virtual_size: image.virtualSize,
  is_public: image.visibility === 'public',
  visibility: image.visibility,
  properties: image.properties,
  tags: image.tags,
  deleted: false,
  deleted_at: null,
});

function memberNotifications(
  recorded: RecordedEvent,
  event: ImageEvent & { readonly type: 'MemberAdded' | 'MemberStatusChanged' | 'MemberRemoved' },
  before: readonly MemberRecord[],
  after: readonly MemberRecord[],
): readonly Notification[] {
  const removed = event.type === 'MemberRemoved';
  const member = (removed ? before : after).find(
    ({ projectId }) => projectId === event.data.member,
  );
  if (member === undefined) return [];
  const name = { MemberAdded: 'create', MemberStatusChanged: 'update', MemberRemoved: 'delete' };
  return [
    told(`image.member.${name[event.type]}`, {
      image_id: imageIdOf(recorded) ?? '',
      member_id: member.projectId,
      status: member.status,
      created_at: isoTime(member.createdAt),
      updated_at: isoTime(member.updatedAt),
      deleted: removed,
      deleted_at: removed ? isoTime(recorded.recordedAt) : null,
    }),
  ];
}
