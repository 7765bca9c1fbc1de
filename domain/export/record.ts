import type { Metadata } from '../event-log.ts';
import type { JsonObject } from '../json.ts';

/** What is personal of who acted, as long as it is kept. */
export interface ExportedPerson {
  readonly userName: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
}

/** One event as it leaves: what every format is made from. */
export interface ExportRecord {
  readonly position: bigint;
  /** The event's. What is exported twice has the same. */
  readonly id: string;
  readonly time: Date;
  readonly type: string;
  /** What it is about; of a refused attempt the kind may be unknown. */
  readonly object: { readonly kind: string | null; readonly id: string } | null;
  /** The owner once it had happened; of a refused attempt the caller's. */
  readonly projectId: string | null;
  readonly refused: boolean;
  readonly metadata: Metadata;
  /** Null where there was none, where it was erased, and where the target is not to have it. */
  readonly person: ExportedPerson | null;
  /** As `GET /history/v1/events` shows it to auditors. */
  readonly document: JsonObject;
}
