import type { Member, Visibility } from '../../domain/image/attributes.ts';
import type { Location } from '../../domain/image/state.ts';

/** Statuses that a listing or a show can give (reference, section 4). */
export type ImageStatus =
  | 'queued'
  | 'saving'
  | 'uploading'
  | 'importing'
  | 'active'
  | 'deactivated'
  | 'pending_delete';

/** A member with when it was added and when its status last changed. */
export interface MemberRecord extends Member {
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** One image as the read model holds it. */
export interface ImageRecord {
  readonly id: string;
  readonly name: string | null;
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly owner: string | null;
  readonly protected: boolean;
  readonly hidden: boolean;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  /** Bytes. */
  readonly size: number | null;
  /** Bytes. */
  readonly virtualSize: number | null;
  /** Hex md5. */
  readonly checksum: string | null;
  readonly hashAlgorithm: string | null;
  readonly hashValue: string | null;
  /** GiB. */
  readonly minDisk: number;
  /** MiB. */
  readonly minRam: number;
  readonly tags: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  /** In the order in which they were added; dormant while the image is not shared. */
  readonly members: readonly MemberRecord[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Where the bytes are, once active, in the order in which they were added. */
  readonly locations: readonly Location[];
  /** Of the last import; null where there was none. */
  readonly imports: Imports | null;
  /** Why the last upload ended without an active image; null once another began. */
  readonly failure: string | null;
}

/** How far an import is, store by store. */
export interface Imports {
  /** Its task; null once it is over. */
  readonly taskId: string | null;
  /** Stores still to be written; null where nothing is written. */
  readonly to: readonly string[] | null;
  /** Stores that could not be written. */
  readonly failed: readonly string[];
}

/**
 * Something that the log has not ended:
 *
 *     receive  a gateway takes bytes in               stage   bytes in staging wait for an import call
 *     ingest   bytes, or a location, to be worked on  scrub   a deleted image waits for its time
 *     remove   bytes of a deleted image are left
 */
export interface Work {
  readonly imageId: string;
  readonly kind: 'receive' | 'stage' | 'ingest' | 'scrub' | 'remove';
  /** Null for `scrub` and `remove`. */
  readonly uploadId: string | null;
  /** The process that owns it: a gateway while receiving, a worker once claimed; null while it waits. */
  readonly owner: string | null;
  /** The newest claim; 0 before the first. */
  readonly epoch: number;
  /** Where the work came into this state. */
  readonly position: bigint;
  readonly since: Date;
  /** When it is to be done; null for at once. */
  readonly due: Date | null;
  readonly correlationId: string;
}
