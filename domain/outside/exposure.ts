import type { ImageEventType } from '../image/events.ts';

/**
 * Who outside is told of a fact. Administrators are told of all but what stays inside.
 *
 * | exposure  | told                                                   | because                                          |
 * | --------- | ------------------------------------------------------ | ------------------------------------------------ |
 * | `viewers` | whoever could see the image just before or just after  | the Image API shows them its effect              |
 * | `party`   | the owner, and the project that it is shared with      | members do not know of each other                |
 * | `owner`   | the owner                                              | how an image gets its bytes is its owner's matter |
 * | `inside`  | nobody                                                 | claims and leases are the pipeline's own; refusals would tell of attempts, and of what is there, to who must not know |
 */
export type Exposure = 'viewers' | 'party' | 'owner' | 'inside';

/** Of every fact about an image: a new type must not compile until it is decided who is told. */
const imageExposure = {
  ImageCreated: 'viewers',
  ImageUpdated: 'viewers',
  VisibilityChanged: 'viewers',
  ProtectionChanged: 'viewers',
  TagAdded: 'viewers',
  TagRemoved: 'viewers',
  MemberAdded: 'party',
  MemberStatusChanged: 'party',
  MemberRemoved: 'party',
  UploadStarted: 'owner',
  UploadStaged: 'owner',
  UploadAborted: 'owner',
  ImportRequested: 'owner',
  ImportCompleted: 'owner',
  IngestClaimed: 'inside',
  IngestReleased: 'inside',
  ImageDataStored: 'viewers',
  ImageDigested: 'viewers',
  DiskFormatInspected: 'viewers',
  ImageActivated: 'viewers',
  IngestFailed: 'owner',
  LocationAdded: 'viewers',
  LocationMetadataChanged: 'inside',
  LocationRemoved: 'owner',
  ImageDeactivated: 'viewers',
  ImageReactivated: 'viewers',
  ImageDeletionScheduled: 'viewers',
  ImageRestored: 'viewers',
  ImageDeleted: 'viewers',
  ReservationAbandoned: 'inside',
  ImageDataRemoved: 'owner',
} as const satisfies Readonly<Record<ImageEventType, Exposure>> &
  Readonly<Record<string, Exposure>>;

type Exposures = typeof imageExposure;

/** What there is a document of, and so a schema. */
export type OutsideImageType = {
  [Type in keyof Exposures]: Exposures[Type] extends 'inside' ? never : Type;
}[keyof Exposures];

/** Facts of other streams, and of types that this release does not know, stay inside. */
export function exposureOf({
  streamId,
  type,
}: {
  readonly streamId: string;
  readonly type: string;
}): Exposure {
  if (!streamId.startsWith('image-') || !Object.hasOwn(imageExposure, type)) return 'inside';
  return imageExposure[type as keyof Exposures];
}

export const outsideImageTypes = Object.keys(imageExposure).filter(
  (type) => imageExposure[type as keyof Exposures] !== 'inside',
) as readonly OutsideImageType[];

/** Every type of a fact about an image, those that stay inside among them. */
export const imageTypes: readonly string[] = Object.keys(imageExposure);
