import type { EventLog } from '../../../domain/event-log.ts';
import type { HistoryAccess } from '../../../domain/history/access.ts';
import type { Caller } from '../../../domain/image/access.ts';
import type { People } from '../../../infra/personal/people.ts';
import type { History, HistoryViewer, PastImages } from '../../../projections/history/history.ts';
import { NotYetVisible, type Visible } from '../../../projections/images/images.ts';
import { HttpError } from '../http-error.ts';

/** What looking back works with. */
export interface HistoryPorts {
  readonly changes: History;
  readonly past: PastImages;
  /** Of the read model of history: writers do not wait for it, so its readers do. */
  readonly visible: Visible;
  readonly people: People;
  readonly access: HistoryAccess;
  readonly log: Pick<EventLog, 'head'>;
}

/** How long a question waits for history to take in what had happened when it was asked. */
const patienceMs = 5_000;

/** Everything up to the position can be had. 503 when that takes long: nothing is answered from half of it. */
export async function caughtUp(
  { visible }: Pick<HistoryPorts, 'visible'>,
  position: bigint,
): Promise<void> {
  try {
    await visible.waitFor(position, patienceMs);
  } catch (error) {
    if (!(error instanceof NotYetVisible)) throw error;
    throw new HttpError(503, 'History has not caught up with what happened yet. Try again.', {
      headers: { 'Retry-After': '1' },
      cause: error,
    });
  }
}

/** Everything that had happened when this was asked can be had; gives the position up to which that is. */
export async function upToNow(ports: Pick<HistoryPorts, 'visible' | 'log'>): Promise<bigint> {
  const head = await ports.log.head();
  await caughtUp(ports, head);
  return head;
}

export const viewerOf = (access: HistoryAccess, caller: Caller): HistoryViewer => ({
  projectId: caller.projectId,
  seesAll: access.seesAll(caller),
});
