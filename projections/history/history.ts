import type { ListQuery } from '../images/list-query.ts';
import type { ImageRecord } from '../images/record.ts';
import type { ChangeRecord } from './change.ts';
import type { HistoryKind } from './subject.ts';

/** For whom history is read. Without `seesAll`: what the project owned just before or just after, and no refused attempts. */
export interface HistoryViewer {
  readonly projectId: string | null;
  readonly seesAll: boolean;
}

/** Absent is any. */
export interface HistoryFilter {
  /** What this project owned just before or just after; of refused attempts the caller's. */
  readonly project?: string | undefined;
  /** Id of a user, or a part of the system. */
  readonly actor?: string | undefined;
  readonly types?: readonly string[] | undefined;
  readonly kinds?: readonly HistoryKind[] | undefined;
  /** Id of what it is about. */
  readonly object?: string | undefined;
  /** Every namespace that ever had this name. */
  readonly namespace?: string | undefined;
  readonly refused?: boolean | undefined;
  /** Recorded then or later. */
  readonly from?: Date | undefined;
  /** Recorded then or earlier. */
  readonly to?: Date | undefined;
}

export interface HistoryQuery {
  readonly viewer: HistoryViewer;
  readonly filter: HistoryFilter;
  /** Changes above this position … */
  readonly after: bigint;
  /** … and not above this one, which is a checkpoint that was read before, or less. */
  readonly upTo: bigint;
  /** Most changes that are wanted; fewer come when they are large, or rare. */
  readonly limit: number;
}

export interface HistoryPage {
  /** In position order. */
  readonly changes: readonly ChangeRecord[];
  /** Every change up to here is in this page or was not asked for; `upTo` when that was reached. */
  readonly next: bigint;
}

/** What ever happened. */
export interface History {
  page(query: HistoryQuery): Promise<HistoryPage>;
  /** Everything up to here can be had, for ever. */
  checkpoint(): Promise<bigint>;
}

/** Images as they were at a position, which is not above the checkpoint. */
export interface PastImages {
  /** Undefined when it did not exist then. Says nothing of who could see it. */
  show(imageId: string, at: bigint): Promise<ImageRecord | undefined>;
  /** As `Images.list`, of then. */
  list(query: ListQuery, at: bigint): Promise<readonly ImageRecord[]>;
  /**
   * The position of the last change recorded then or earlier, 0 where there is none. `isPast` when something was recorded
   * later, so that none will come before it any more.
   */
  positionAt(time: Date): Promise<{ readonly position: bigint; readonly isPast: boolean }>;
}
