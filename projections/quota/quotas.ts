import type { Reservation } from '../../domain/quota/events.ts';
import type { Usage } from '../../domain/quota/resources.ts';
import type { LedgerRow } from './fold.ts';

/** What is asked of the quota read model. */
export interface Quotas {
  /** What the images of a project take, as of `position`: both of one instant. */
  usageOf(projectId: string): Promise<{ readonly usage: Usage; readonly position: bigint }>;
  /** What was in flight in the project's stream at some revision; undefined where nothing ever was. May be behind. */
  ledgerOf(projectId: string): Promise<LedgerRow | undefined>;
  /** Everything that is reserved and not settled, in any project. May be behind. */
  openReservations(): Promise<readonly ProjectReservation[]>;
}

export interface ProjectReservation extends Reservation {
  readonly projectId: string;
}
