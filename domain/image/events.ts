import type { Attributes, MemberStatus, Visibility } from './attributes.ts';

/** Hex digests by algorithm name, `md5` always among them. */
export type Digests = Readonly<Record<string, string>>;

/** Why an upload ended without an active image. The gateway has a status for each. */
export type AbortReason =
  | 'client-gone'
  | 'size-mismatch'
  | 'too-large'
  | 'staging-full'
  | 'staging-failed'
  | 'gateway-died'
  | 'gateway-stopped';

/** Why ingest gave up on staged bytes. The gateway has a status for each. */
export type IngestFailure =
  | 'format-refused'
  | 'store-full'
  | 'store-unavailable'
  | 'staged-bytes-lost'
  | 'workers-died';

/** One field's change: what it was and what it is. */
export interface Change {
  readonly field:
    | 'name'
    | 'owner'
    | 'hidden'
    | 'diskFormat'
    | 'containerFormat'
    | 'minDisk'
    | 'minRam';
  readonly from: string | number | boolean | null;
  readonly to: string | number | boolean | null;
}

/** One custom property's change; null is absent. */
export interface PropertyChange {
  readonly property: string;
  readonly from: string | null;
  readonly to: string | null;
}

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/**
 * What can happen to an image. Its id is in the stream's name (`image-{uuid}`); who, when and why is in the event's
 * metadata. `uploadId` names one attempt to fill the image, `epoch` (1, 2 …) one worker's claim on that attempt.
 */
export type ImageEvent =
  | Fact<'ImageCreated', Attributes>
  | Fact<'ImageUpdated', { changes: readonly Change[]; properties: readonly PropertyChange[] }>
  | Fact<'VisibilityChanged', { from: Visibility; to: Visibility }>
  | Fact<'ProtectionChanged', { from: boolean; to: boolean }>
  | Fact<'TagAdded', { tag: string }>
  | Fact<'TagRemoved', { tag: string }>
  /** `member` is the project that the image is shared with from now on; its status begins as pending. */
  | Fact<'MemberAdded', { member: string }>
  | Fact<'MemberStatusChanged', { member: string; from: MemberStatus; to: MemberStatus }>
  | Fact<'MemberRemoved', { member: string }>
  /** `owner` is the gateway process that receives the bytes; `store` is where they are meant to go. */
  | Fact<
      'UploadStarted',
      { uploadId: string; owner: string; declaredSize: number | null; store: string }
    >
  /** The bytes are durable in staging and there are `size` of them: from here the work outlives everybody. */
  | Fact<'UploadStaged', { uploadId: string; size: number }>
  | Fact<'UploadAborted', { uploadId: string; reason: AbortReason; message: string }>
  /** `owner` is a worker process; `supersedes` is the epoch before, 0 for the first claim. */
  | Fact<'IngestClaimed', { uploadId: string; epoch: number; supersedes: number; owner: string }>
  /** The worker put the work back of its own accord: its claim counts as no death. */
  | Fact<'IngestReleased', { uploadId: string; epoch: number }>
  | Fact<
      'ImageDataStored',
      { uploadId: string; epoch: number; store: string; key: string; size: number }
    >
  | Fact<'ImageDigested', { uploadId: string; digests: Digests; algorithm: string }>
  /** `virtualSize` in bytes, null where the content does not tell. */
  | Fact<
      'DiskFormatInspected',
      { uploadId: string; declared: string; detected: string | null; virtualSize: number | null }
    >
  | Fact<'ImageActivated', { uploadId: string }>
  | Fact<
      'IngestFailed',
      { uploadId: string; epoch: number; reason: IngestFailure; message: string }
    >
  | Fact<'ImageDeactivated', Record<never, never>>
  | Fact<'ImageReactivated', Record<never, never>>
  | Fact<'ImageDeleted', Record<never, never>>
  /** Every byte of a deleted image is gone from every store. */
  | Fact<'ImageDataRemoved', Record<never, never>>;

export type ImageEventType = ImageEvent['type'];
