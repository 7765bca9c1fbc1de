import { setTimeout as delay } from 'node:timers/promises';
import { LimitsUnavailable } from '../../domain/quota/limits.ts';
import { Refused } from '../../domain/refused.ts';
import { eventId } from '../../infra/event-id.ts';
import type { GrowingHold, QuotaHolds } from '../quota-holds.ts';
import { type Claim, type DownloadTask, Failed, type StagedTask } from './claim.ts';
import type { FetchRoom } from './fetch.ts';

const retryMs = 1_000;

/**
 * Room for a download, in staging and in every store that it is for, as it grows. It belongs to the attempt: the worker
 * that takes it over goes on with it, and whoever settles quotas gives it back when the attempt is over.
 */
export function fetchRooms(holds: Pick<QuotaHolds, 'holdGrowing'>) {
  return async (
    claim: Claim,
    { projectId, copies }: DownloadTask,
    signal: AbortSignal,
  ): Promise<FetchRoom> => {
    const staged = await holdFor(holds, claim, projectId, 'staged', 'staged', signal);
    const bytes = await holdFor(holds, claim, projectId, 'bytes', 'bytes', signal);
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

/** Room for what plugins made of an import beyond what came in, in every store. It belongs to the attempt as well. */
export interface GrowthRoom {
  /** This process has nothing more to do with it. */
  close(): void;
}

/** Room for an import of which plugins made `size` bytes; rejects with `Failed` where there is none. */
export type GrowthRooms = (
  claim: Claim,
  task: StagedTask,
  size: number,
  signal: AbortSignal,
) => Promise<GrowthRoom>;

/** Where nothing is limited, or nothing grew. */
const freeGrowth: GrowthRoom = { close() {} };
export const anyGrowth: GrowthRooms = async () => freeGrowth;

export function growthRooms(holds: Pick<QuotaHolds, 'holdGrowing'>): GrowthRooms {
  return async (claim, { projectId, size: before, stores, written }, size, signal) => {
    if (size <= before) return freeGrowth;
    const total = (size - before) * (stores.length + written.length);
    const room = await holdFor(holds, claim, projectId, 'bytes', 'made', signal);
    try {
      await within(signal, () => room.admit(total));
      await room.settle(total);
    } catch (error) {
      void room.close();
      throw error;
    }
    return { close: () => void room.close() };
  };
}

/** A reservation of the attempt's own, which the worker that takes the attempt over goes on with. */
function holdFor(
  holds: Pick<QuotaHolds, 'holdGrowing'>,
  { imageId, uploadId, origin }: Claim,
  projectId: string | null,
  grows: 'staged' | 'bytes',
  name: string,
  signal: AbortSignal,
): Promise<GrowingHold> {
  const from = { ...origin, actor: { kind: 'system', part: 'worker' } } as const;
  const reservationId = eventId(uploadId, name, 0);
  const wanted = {
    ...{ projectId, reservationId, imageId, attempt: uploadId, isResumed: true },
    ...{ act: 'import' as const, amounts: { [grows]: 0 } },
  } as const;
  return within(signal, () => holds.holdGrowing(wanted, grows, from));
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
