import type { JsonObject } from '../json.ts';
import type { ReservationAbandoned } from '../quota/events.ts';
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
  | 'gateway-stopped'
  | 'staging-expired'
  | 'quota-exceeded';

/** Why ingest gave up on staged bytes. The gateway has a status for each. */
export type IngestFailure =
  | 'format-refused'
  | 'store-full'
  | 'store-unavailable'
  | 'staged-bytes-lost'
  | 'location-unusable'
  | 'digest-mismatch'
  | 'workers-died'
  | 'source-refused'
  | 'source-gone'
  | 'source-changed'
  | 'source-lied'
  | 'source-unavailable'
  | 'staging-full'
  | 'too-large'
  | 'quota-exceeded'
  | 'copies-unusable'
  /** What the operator has made of imports could not be made of this one. */
  | 'plugin-failed';

/** What a client says that the bytes at a location are. Hex, lower case. */
export interface Validation {
  readonly algorithm: string;
  readonly value: string;
  /** md5, where the client gave it. */
  readonly checksum: string | null;
}

/** What a client says that the bytes at a URL are: they are not the image's if they are others. */
export interface Expected {
  /** Hex, lower case, by md5, sha1, sha256 or sha512; may be empty. */
  readonly digests: Digests;
  /** Bytes. */
  readonly size: number | null;
  /** URL of a vendor's list of digests (`SHA256SUMS`), in which the file's name is looked up. */
  readonly sums: string | null;
}

/** How an image is to be filled without its bytes being in the request. */
export type ImportMethod =
  | { readonly name: 'glance-direct' }
  | { readonly name: 'web-download'; readonly uri: string; readonly expected: Expected | null }
  /** From the image's own copies into other stores. */
  | { readonly name: 'copy-image' }
  /** From another image service, at the endpoint that the catalogue had for its region. */
  | {
      readonly name: 'glance-download';
      readonly region: string;
      readonly imageId: string;
      readonly interface: string;
      readonly endpoint: string;
    }
  /** Registers a URL that a read-only store serves; nothing is copied. */
  | {
      readonly name: 'location';
      readonly locationId: string;
      readonly store: string;
      readonly url: string;
      readonly metadata: JsonObject;
      readonly validation: Validation | null;
    };

/** What a source said of the bytes that were fetched from it, and which digests were found true. */
export interface Source {
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** Names of algorithms. */
  readonly verified: readonly string[];
}

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
  /**
   * `owner` is the gateway process that receives the bytes; `store` is where they are meant to go. Of purpose `stage` they
   * then wait for an import call; absent is `upload`.
   */
  | Fact<
      'UploadStarted',
      {
        uploadId: string;
        owner: string;
        declaredSize: number | null;
        store: string;
        purpose?: 'upload' | 'stage';
      }
    >
  /** The bytes are durable in staging and there are `size` of them: from here the work outlives everybody. */
  | Fact<'UploadStaged', { uploadId: string; size: number }>
  | Fact<'UploadAborted', { uploadId: string; reason: AbortReason; message: string }>
  /**
   * An import was accepted; `uploadId` names its attempt and its task, and is the staged upload's own where that is
   * imported. `stores` are the stores to write to. Ends with `ImportCompleted` or `IngestFailed`.
   */
  | Fact<
      'ImportRequested',
      {
        uploadId: string;
        method: ImportMethod;
        stores: readonly string[];
        allStoresMustSucceed: boolean;
      }
    >
  | Fact<'ImportCompleted', { uploadId: string }>
  /**
   * A download has `bytes` of its source in staging, from which any other worker goes on: whoever dies now does not count
   * as killed by the image. Told once by a claim at most, and not by one that is over soon.
   */
  | Fact<'ImportAdvanced', { uploadId: string; epoch: number; bytes: number }>
  /** The source's bytes are durable in staging, all of them: they are not fetched again. */
  | Fact<'ImportFetched', { uploadId: string; epoch: number; size: number; source: Source }>
  /** One of several stores does not get the bytes; the import goes on with the others. */
  | Fact<
      'ImportStoreFailed',
      { uploadId: string; epoch: number; store: string; reason: IngestFailure; message: string }
    >
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
  /**
   * The image's bytes can be had at `url` too, which the read-only store named serves. `size` in bytes; digests are those
   * that the client vouches for. A queued image with no import under way is active from here on.
   */
  | Fact<
      'LocationAdded',
      {
        locationId: string;
        store: string;
        url: string;
        metadata: JsonObject;
        size: number;
        digests: Digests;
        algorithm: string | null;
        /** Its place among the others, from 0; absent is behind the last. */
        at?: number;
      }
    >
  | Fact<
      'LocationMetadataChanged',
      { locationId: string; store: string; from: JsonObject; to: JsonObject }
    >
  /** Of bytes that we stored, too: `locationId` is their key then, and they are to be removed. */
  | Fact<'LocationRemoved', { locationId: string; store: string }>
  | Fact<'ImageDeactivated', Record<never, never>>
  | Fact<'ImageReactivated', Record<never, never>>
  /**
   * Gone for everybody; bytes are kept until `dueAt` (ISO 8601) for an administrator to restore it. `uploadId` is the
   * attempt that ends with it, where one was under way.
   */
  | Fact<'ImageDeletionScheduled', { dueAt: string; uploadId?: string }>
  | Fact<'ImageRestored', Record<never, never>>
  /** It is not to be deleted; `from` is the reason before, where there was a hold already. */
  | Fact<'LegalHoldPlaced', { reason: string; from: string | null }>
  /** `reason` is that of the hold that is over. */
  | Fact<'LegalHoldLifted', { reason: string }>
  /** `uploadId` as before. */
  | Fact<'ImageDeleted', { uploadId?: string }>
  | ReservationAbandoned
  /** Every byte of a deleted image is gone from every store. */
  | Fact<'ImageDataRemoved', Record<never, never>>;

export type ImageEventType = ImageEvent['type'];
