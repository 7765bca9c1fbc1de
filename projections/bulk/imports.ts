import type { Outcome } from '../../domain/bulk/events.ts';
import type { BulkStatus, PresentBulk } from '../../domain/bulk/state.ts';
import type { Viewer } from '../../domain/image/visibility.ts';

/** One bulk import as the read model holds it. */
export interface BulkRecord extends PresentBulk {
  readonly id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Of the newest event that it takes in: it is a snapshot of the stream up to there. */
  readonly revision: number;
}

export const itemStatuses = [
  'pending',
  'fetching',
  'ingesting',
  'done',
  'skipped',
  'updated',
  'failed',
  'cancelled',
] as const;
/** `fetching`: its bytes are on their way; `ingesting`: they are there, and are being looked at and stored. */
export type ItemStatus = (typeof itemStatuses)[number];

/** One item, and how far it is. */
export interface ItemRecord {
  readonly item: number;
  readonly name: string | null;
  /** The URL without what is secret in it, or what the bytes are to whoever uploads them. */
  readonly source: string;
  /** Whether whoever asked uploads the bytes. */
  readonly isUploaded: boolean;
  readonly status: ItemStatus;
  /** The image that it came to, or is to come to. */
  readonly imageId: string;
  /** The attempt to fill the image that is under way. */
  readonly uploadId: string | null;
  /** Of the last attempt that is over, from 1; null before. */
  readonly attempt: number | null;
  /** Of a failure. */
  readonly reason: string | null;
  readonly message: string | null;
  readonly bytes: number | null;
  /** Bytes that the manifest says that there are. */
  readonly expectedBytes: number | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export interface BulkQuery {
  /** Administrators see all, others those of their project. */
  readonly viewer: Viewer;
  readonly project: string | undefined;
  readonly statuses: readonly BulkStatus[] | undefined;
  /** Id of the last import of the page before. */
  readonly marker: string | undefined;
  readonly limit: number;
}

export interface ItemQuery {
  readonly statuses: readonly ItemStatus[] | undefined;
  /** Place of the last item of the page before; -1 for the first page. */
  readonly after: number;
  readonly limit: number;
}

/** How many items of an import are in work. */
export interface InWork {
  readonly fetching: number;
  readonly ingesting: number;
}

/** What is asked of the read model of bulk imports. */
export interface BulkImports {
  show(importId: string): Promise<BulkRecord | undefined>;
  /** The newest first. */
  list(query: BulkQuery): Promise<readonly BulkRecord[]>;
  /** In their order. */
  items(importId: string, query: ItemQuery): Promise<readonly ItemRecord[]>;
  inWork(importId: string): Promise<InWork>;
  /** Every one that is not over, by id. */
  open(): Promise<readonly BulkRecord[]>;
}

/** Statuses that say what became of an item. */
export const isOutcome = (status: ItemStatus): status is Outcome =>
  status !== 'pending' && status !== 'fetching' && status !== 'ingesting';
