import type { SentExtent } from '../../domain/download-record/events.ts';
import type { Metadata } from '../../domain/event-log.ts';
import type { HistoryViewer } from '../history/history.ts';

/** One download, as far as it was told. */
export interface DownloadRecord {
  readonly id: string;
  readonly imageId: string;
  /** The project that owned the image when it began. */
  readonly owner: string | null;
  /** Position of its beginning: pages are in this order. */
  readonly position: bigint;
  readonly eventId: string;
  readonly begunAt: Date;
  readonly metadata: Metadata;
  /** The gateway process that sends. */
  readonly writer: string;
  /** Of the whole image. */
  readonly size: number;
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  /** What the first request asked for. */
  readonly asked: SentExtent;
  /** Position and time of what was told last, its beginning if nothing else was. */
  readonly toldPosition: bigint;
  readonly toldAt: Date;
  readonly ended: boolean;
  /** Its gateway died, as far as others know. */
  readonly lost: boolean;
  /** Null until something was told. */
  readonly sent: Sent | null;
}

/** As in `ImageDownloaded`. */
export interface Sent {
  readonly reads: number;
  readonly bytes: number;
  readonly extents: readonly SentExtent[];
  readonly exact: boolean;
  readonly complete: boolean;
  readonly firstAt: string;
  readonly lastAt: string;
}

/** Absent is any. */
export interface DownloadFilter {
  /** That owned the image. */
  readonly project?: string | undefined;
  /** Id of the user who downloads. */
  readonly actor?: string | undefined;
  /** Id of the image. */
  readonly image?: string | undefined;
  /** Begun then or later. */
  readonly from?: Date | undefined;
  /** Begun then or earlier. */
  readonly to?: Date | undefined;
}

export interface DownloadQuery {
  /** Without `seesAll`: of images that the project owned then. */
  readonly viewer: HistoryViewer;
  readonly filter: DownloadFilter;
  /** Begun above this position … */
  readonly after: bigint;
  /** … and not above this one. */
  readonly upTo: bigint;
  /** Most that are wanted; fewer come when they are large. */
  readonly limit: number;
}

export interface DownloadPage {
  /** In the order in which they began. */
  readonly downloads: readonly DownloadRecord[];
  /** Every download that began up to here is in this page or was not asked for; `upTo` when that was reached. */
  readonly next: bigint;
}

/** Who read which bytes. */
export interface Downloads {
  page(query: DownloadQuery): Promise<DownloadPage>;
  /** Some that are neither ended nor lost, and of which nothing was told for so long; those of the longest time. */
  silent(forMs: number): Promise<readonly DownloadRecord[]>;
}
