import type { KnownHold } from '../hold/hold.ts';
import type { JsonObject } from '../json.ts';
import type { Caller } from './access.ts';
import type { AttributeField, Attributes, MemberStatus } from './attributes.ts';
import type {
  AbortReason,
  Digests,
  ImportMethod,
  IngestFailure,
  Source,
  Validation,
} from './events.ts';

/** One step of a client's change, already checked for type, length and range. */
export type PatchOperation =
  | {
      readonly kind: 'set';
      readonly field: AttributeField;
      readonly value: Attributes[AttributeField];
    }
  | {
      readonly kind: 'add-property';
      readonly property: string;
      readonly value: string;
      /** JSON-patch 2.1 replaces a property that is there, 2.0 refuses. */
      readonly overwrite: boolean;
    }
  | { readonly kind: 'replace-property'; readonly property: string; readonly value: string }
  | { readonly kind: 'remove-property'; readonly property: string }
  /** `at` counts from 0; null is behind the last. */
  | { readonly kind: 'add-location'; readonly at: number | null; readonly location: NewLocation }
  | {
      readonly kind: 'replace-locations';
      readonly locations: readonly (NewLocation | KnownLocation)[];
    }
  | { readonly kind: 'remove-location'; readonly at: number | null };

/** Somebody else's bytes, which were looked at: there are `size` of them. */
export interface NewLocation {
  readonly locationId: string;
  readonly store: string;
  readonly url: string;
  readonly metadata: JsonObject;
  readonly size: number;
  readonly validation: Validation | null;
}

/** A location that the image had when the client's request was read. */
export interface KnownLocation {
  readonly knownId: string;
  readonly store: string;
  readonly metadata: JsonObject;
  readonly validation: Validation | null;
}

type Ask<Type extends string, Data> = { readonly type: Type } & Readonly<Data>;

/** What a caller may ask. Rules are checked against `caller`. */
export type CallerCommand =
  | Ask<'CreateImage', { caller: Caller; attributes: Attributes } & Reserving>
  | Ask<
      'UpdateImage',
      { caller: Caller; operations: readonly PatchOperation[] } & Reserving & Heeding
    >
  | Ask<'AddTag', { caller: Caller; tag: string }>
  | Ask<'RemoveTag', { caller: Caller; tag: string }>
  /** `member` is a project id. */
  | Ask<'AddMember', { caller: Caller; member: string }>
  | Ask<'SetMemberStatus', { caller: Caller; member: string; status: MemberStatus }>
  | Ask<'RemoveMember', { caller: Caller; member: string }>
  | Ask<'DeactivateImage', { caller: Caller }>
  | Ask<'ReactivateImage', { caller: Caller }>
  /** `keepUntil` (ISO 8601) is when bytes go; absent where deletion is not delayed. */
  | Ask<'DeleteImage', { caller: Caller; keepUntil?: string } & Heeding>
  | Ask<'BeginUpload', Arriving>
  /** An upload whose bytes wait in staging for an import. */
  | Ask<'BeginStaging', Arriving>
  | Ask<'RequestImport', { caller: Caller } & ImportRequest>
  /** `RequestImport` of a location, which has a rule of its own. */
  | Ask<'RequestLocation', { caller: Caller } & ImportRequest>
  /** `RequestImport` of an image's own copies. With `missingOnly`, stores that have one are passed over, else refused. */
  | Ask<'RequestCopies', { caller: Caller; missingOnly: boolean } & ImportRequest>
  /** Of one store's copy. `readable` are the stores that the site can read from: a copy elsewhere is none to rely on. */
  | Ask<'RemoveCopy', { caller: Caller; store: string; readable?: readonly string[] }>;

/** What the owner's quota was asked for room for; refused when that was given up meanwhile. */
interface Reserving {
  readonly reservation?: string | undefined;
}

/** What is known of the legal hold on the image's project; see `requireNotHeld`. */
interface Heeding {
  readonly projectHold?: KnownHold | null;
}

/** `owner` is the gateway process that will receive; `declaredSize` is bytes, null when the client did not say. */
interface Arriving extends Reserving {
  readonly caller: Caller;
  readonly uploadId: string;
  readonly owner: string;
  readonly declaredSize: number | null;
  readonly store: string;
}

/** `uploadId` names the new attempt; what was staged before keeps its own. */
export interface ImportRequest extends Reserving {
  readonly uploadId: string;
  readonly method: ImportMethod;
  readonly stores: readonly string[];
  readonly allStoresMustSucceed: boolean;
}

/** What the system itself asks: fenced by upload id and epoch, or by what time it is, instead of rules. */
export type PipelineCommand =
  | Ask<'CompleteUpload', { uploadId: string; size: number }>
  | Ask<'AbortUpload', { uploadId: string; reason: AbortReason; message: string }>
  /** `supersedes` is the epoch that the claimer saw: 0 for the first claim. */
  | Ask<'ClaimIngest', { uploadId: string; supersedes: number; owner: string }>
  | Ask<'ReleaseIngest', { uploadId: string; epoch: number }>
  | Ask<'CompleteIngest', { uploadId: string; epoch: number; result: IngestResult }>
  /** Some of several stores hold the bytes now. The image is active from the first where one is enough. */
  | Ask<'RecordCopies', { uploadId: string; epoch: number; result: IngestResult }>
  | Ask<
      'RecordStoreFailure',
      { uploadId: string; epoch: number; store: string; reason: IngestFailure; message: string }
    >
  /** `bytes` of a download are in staging. */
  | Ask<'RecordAdvance', { uploadId: string; epoch: number; bytes: number }>
  | Ask<'CompleteFetch', { uploadId: string; epoch: number; size: number; source: Source }>
  /** What the import itself brings to the image beside bytes: formats where not null, and properties. */
  | Ask<
      'DescribeImport',
      {
        uploadId: string;
        epoch: number;
        diskFormat: string | null;
        containerFormat: string | null;
        properties: Readonly<Record<string, string>>;
      }
    >
  | Ask<'FailIngest', { uploadId: string; epoch: number; reason: IngestFailure; message: string }>
  /**
   * A location was looked at: it holds `size` bytes. Digests are empty where nobody has read them; if they follow, they
   * come with `RecordDigests` when the image is active.
   */
  | Ask<
      'CompleteLocation',
      {
        uploadId: string;
        epoch: number;
        size: number;
        digests: Digests;
        algorithm: string;
        digestsFollow: boolean;
      }
    >
  | Ask<'RecordDigests', { uploadId: string; epoch: number; digests: Digests; algorithm: string }>
  /** The time for a restore is over: `at` (ISO 8601) is now. */
  | Ask<'ScrubImage', { at: string } & Heeding>
  | Ask<'RestoreImage', Reserving>
  /** A legal hold; who may ask is decided where it is asked. */
  | Ask<'PlaceHold', { reason: string }>
  | Ask<'LiftHold', Record<never, never>>
  /** The process that was to act is dead, and has not begun. */
  | Ask<'AbandonReservation', { reservationId: string }>
  | Ask<'RecordDataRemoved', Record<never, never>>;

export interface IngestResult {
  /** Stores that hold the bytes now, each under the claim's key in it. Those that were recorded already may be left out. */
  readonly stored: readonly { readonly store: string; readonly key: string }[];
  /** Hex by algorithm; `md5` and `algorithm` are among them. */
  readonly digests: Digests;
  /** The one shown as `os_hash_algo`. */
  readonly algorithm: string;
  readonly detected: string | null;
  /** Bytes. */
  readonly virtualSize: number | null;
  /** Where the bytes are not those that were staged: what was made of them. Of no interest once a store has them. */
  readonly made?: Made;
}

/** What an import makes of staged bytes before they are stored. */
export interface Made {
  /** Bytes. */
  readonly size: number;
  readonly diskFormat: string;
  readonly containerFormat: string;
  /** What the image gets beside, whatever it had by these names. */
  readonly properties: Readonly<Record<string, string>>;
}

export type ImageCommand = CallerCommand | PipelineCommand;
