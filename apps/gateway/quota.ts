import { AppendUnknown, type RecordedEvent } from '../../domain/event-log.ts';
import type { Limits } from '../../domain/quota/limits.ts';
import { type Amounts, inWireUnit, resources, wireName } from '../../domain/quota/resources.ts';
import type { GrowingHold, Hold, QuotaHolds } from '../quota-holds.ts';
import type { QuotaLedger } from '../quota-ledger.ts';
import type { Call, Trace } from './call.ts';
import { traced } from './on-behalf.ts';

/** What requests ask of projects' quotas. Rejects with `Refused` (413) or `LimitsUnavailable` (503). */
export interface GatewayQuota {
  /** Room for one image more. */
  forImage(call: Call, reservationId: string, imageId: string, owner: string | null): Promise<Hold>;
  /** Room for an upload; for what it brings to the store, or to staging where it waits for an import. */
  forUpload(call: Call, arrival: Arrival): Promise<GrowingHold>;
  /** Room for what an import brings, as far as that is known when it is asked for. */
  forImport(call: Call, wanted: ImportRoom): Promise<Hold>;
  /** The document of `GET /v2/info/usage`: bytes as MiB that are full, and -1 where there is no limit. */
  usage(projectId: string | null): Promise<Readonly<Record<string, Entry>>>;
  /** Give it every event of the log. */
  heard(event: RecordedEvent): void;
}

export interface Arrival {
  readonly imageId: string;
  readonly uploadId: string;
  readonly owner: string | null;
  /** Null when it is not known. */
  readonly declaredSize: number | null;
  readonly purpose: 'upload' | 'stage';
}

export interface ImportRoom {
  /** UUID of its own. */
  readonly reservationId: string;
  readonly imageId: string;
  /** Names the import's attempt: of what is staged, the staged upload. */
  readonly uploadId: string;
  readonly owner: string | null;
  /** `bytes` of everything that it will write, in every store. */
  readonly amounts: Amounts;
}

interface Entry {
  readonly usage: number;
  readonly limit: number;
}

/** Where no limit is set: nothing is asked, nothing is written. */
export const unlimitedHold: GrowingHold = {
  reservationId: undefined,
  async commit() {},
  async release() {},
  async close() {},
  async admit() {},
  async settle() {},
};

export const noQuota: GatewayQuota = {
  forImage: async () => unlimitedHold,
  forUpload: async () => unlimitedHold,
  forImport: async () => unlimitedHold,
  usage: async () => ({}),
  heard() {},
};

export function gatewayQuota({
  holds,
  ledger,
  limits,
}: {
  holds: QuotaHolds;
  ledger: Pick<QuotaLedger, 'usage'>;
  limits: Limits;
}): GatewayQuota {
  const origin = (trace: Trace) => ({
    actor: { kind: 'system', part: 'gateway' } as const,
    ...traced(trace),
  });
  return {
    forImage: (call, reservationId, imageId, projectId) =>
      holds.hold(
        {
          projectId,
          reservationId,
          imageId,
          act: 'command',
          attempt: reservationId,
          amounts: { images: 1 },
        },
        origin(call),
      ),
    forUpload(call, { imageId, uploadId, owner, declaredSize, purpose }) {
      const grows = purpose === 'upload' ? 'bytes' : 'staged';
      const wanted = {
        projectId: owner,
        reservationId: uploadId,
        imageId,
        act: 'upload',
        attempt: uploadId,
        amounts: { uploads: 1, [grows]: declaredSize ?? 0 },
      } as const;
      return declaredSize === null
        ? holds.holdGrowing(wanted, grows, origin(call))
        : holds.hold(wanted, origin(call)).then((hold) => ({ ...unlimitedHold, ...hold }));
    },
    forImport: (call, { owner, uploadId, ...rest }) =>
      holds.hold({ ...rest, projectId: owner, act: 'import', attempt: uploadId }, origin(call)),
    async usage(projectId) {
      if (projectId === null) return {};
      const set = await limits.limitsOf(projectId);
      const usage = await ledger.usage(projectId);
      return Object.fromEntries(
        resources.map((resource) => {
          const limit = set[resource];
          const told = limit === undefined ? -1 : inWireUnit(resource, limit);
          return [
            wireName[resource],
            { usage: inWireUnit(resource, usage[resource]), limit: told },
          ];
        }),
      );
    },
    heard: holds.heard,
  };
}

/** Acts within what is held: what is refused gives the room back; what nobody knows is settled by the image's stream. */
export async function within<Result>(hold: Hold, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof AppendUnknown) void hold.close();
    else await hold.release();
    throw error;
  }
}
