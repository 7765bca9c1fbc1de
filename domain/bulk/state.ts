import type { Caller } from '../image/access.ts';
import type { BulkEvent, Counts, Priority } from './events.ts';

/**
 *     absent → listing → running ⇄ paused     running, paused → cancelling → cancelled
 *                 │         ▲ │
 *                 │   retry │ └──▶ completed
 *                 └──▶ abandoned
 */
export type BulkStatus =
  | 'listing'
  | 'running'
  | 'paused'
  | 'cancelling'
  | 'completed'
  | 'cancelled'
  | 'abandoned';

/** A bulk import as a whole. Which items are over is kept apart (`marks.ts`): this stays small, and is a snapshot of its stream. */
export interface PresentBulk {
  readonly status: BulkStatus;
  readonly project: string;
  readonly authority: Caller;
  readonly name: string | null;
  readonly priority: Priority;
  readonly items: number;
  readonly listed: number;
  readonly digest: string;
  /** 1 until it is retried. */
  readonly attempt: number;
  /** Items that are settled, of the last attempt. */
  readonly counts: Counts;
  /** Of the images that were done. */
  readonly bytes: number;
}

export type Bulk = { readonly status: 'absent' } | PresentBulk;

export const noCounts: Counts = { done: 0, skipped: 0, updated: 0, failed: 0, cancelled: 0 };

export const isPresent = (bulk: Bulk): bulk is PresentBulk => bulk.status !== 'absent';

/** Nothing more will happen by itself. */
export const isOver = ({ status }: Bulk): boolean =>
  status === 'completed' || status === 'cancelled' || status === 'abandoned';

export const settledOf = ({ counts }: PresentBulk): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

export function evolve(bulk: Bulk, event: BulkEvent): Bulk {
  if (event.type === 'BulkImportRequested')
    return {
      ...event.data,
      status: event.data.items === 0 ? 'running' : 'listing',
      listed: 0,
      attempt: 1,
      counts: noCounts,
      bytes: 0,
    };
  return isPresent(bulk) ? evolvePresent(bulk, event) : bulk;
}

function evolvePresent(
  bulk: PresentBulk,
  event: Exclude<BulkEvent, { type: 'BulkImportRequested' }>,
): Bulk {
  switch (event.type) {
    case 'BulkItemsListed': {
      const listed = event.data.first + event.data.items.length;
      return { ...bulk, listed, status: listed < bulk.items ? bulk.status : 'running' };
    }
    case 'BulkImportAbandoned':
      return { ...bulk, status: 'abandoned' };
    case 'BulkImportPaused':
      return { ...bulk, status: 'paused' };
    case 'BulkImportResumed':
      return { ...bulk, status: 'running' };
    case 'BulkImportReprioritized':
      return { ...bulk, priority: event.data.to };
    case 'BulkImportCancelled':
      return { ...bulk, status: 'cancelling' };
    case 'BulkImportRetried':
      return {
        ...bulk,
        status: bulk.status === 'completed' ? 'running' : bulk.status,
        attempt: bulk.attempt + 1,
        counts: { ...bulk.counts, failed: 0 },
      };
    case 'BulkItemSettled': {
      const { outcome, bytes } = event.data;
      const counts = { ...bulk.counts, [outcome]: bulk.counts[outcome] + 1 };
      return { ...bulk, counts, bytes: bulk.bytes + (outcome === 'done' ? (bytes ?? 0) : 0) };
    }
    case 'BulkImportCompleted': {
      const { bytes, ...counts } = event.data;
      const status = bulk.status === 'cancelling' ? 'cancelled' : 'completed';
      return { ...bulk, status, counts, bytes };
    }
  }
}
