import { setTimeout as delay } from 'node:timers/promises';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import { Refused } from '../../domain/refused.ts';
import { eventId } from '../../infra/event-id.ts';
import type { GrowingHold, QuotaHolds } from '../quota-holds.ts';
import { type Claim, type DownloadTask, Failed } from './claim.ts';
import type { FetchRoom } from './fetch.ts';

const retryMs = 1_000;

/**
 * Room for a download, in staging and in every store that it is for, as it grows. It belongs to the attempt: the worker
 * that takes it over goes on with it, and whoever settles quotas gives it back when the attempt is over.
 */
export function fetchRooms(holds: Pick<QuotaHolds, 'holdGrowing'>) {
  return async (
    { imageId, uploadId, origin }: Claim,
    { projectId, copies }: DownloadTask,
    signal: AbortSignal,
  ): Promise<FetchRoom> => {
    const from = { ...origin, actor: { kind: 'system', part: 'worker' } } as const;
    const hold = (grows: 'staged' | 'bytes'): Promise<GrowingHold> => {
      const reservationId = eventId(uploadId, grows, 0);
      const wanted = {
        ...{ projectId, reservationId, imageId, attempt: uploadId, isResumed: true },
        ...{ act: 'import' as const, amounts: { [grows]: 0 } },
      } as const;
      return within(signal, () => holds.holdGrowing(wanted, grows, from));
    };
    const staged = await hold('staged');
    const bytes = await hold('bytes');
    return {
      async admit(total) {
        await within(signal, () => staged.admit(total));
        await within(signal, () => bytes.admit(total * copies));
      },
      async settle(total) {
        await staged.settle(total);
        await bytes.settle(total * copies);
      },
      close() {
        void staged.close();
        void bytes.close();
      },
    };
  };
}

/** Waits for whoever knows the limits; a quota that is full is the end. */
async function within<T>(signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await step();
    } catch (error) {
      if (error instanceof Refused && error.code === 'quota-exceeded')
        throw new Failed('quota-exceeded', error.message, error);
      if (!(error instanceof LimitsUnavailable)) throw error;
      await delay(retryMs, undefined, { signal });
    }
}
