import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, Metadata, RecordedEvent } from '../domain/event-log.ts';
import type { QuotaEvent, Reservation } from '../domain/quota/events.ts';
import type { Limits } from '../domain/quota/limits.ts';
import { othersMayReturn, type Request } from '../domain/quota/quota.ts';
import { type Amounts, limited, type Resource } from '../domain/quota/resources.ts';
import { Refused } from '../domain/refused.ts';
import type { Logger } from '../infra/telemetry/logger.ts';
import { projectStream } from '../projections/quota/fold.ts';
import { handleImage } from './handle-image.ts';
import type { Asked, QuotaLedger } from './quota-ledger.ts';
import { settleReservation } from './quota-settling.ts';

/** Why, for the log: who caused it. */
export type Origin = Omit<Metadata, 'causationId' | 'rule'>;

/** Room that this process holds for something that it is about to do. */
export interface Hold {
  /** For the command that acts, so that it is refused once others have given the reservation up. */
  readonly reservationId: string | undefined;
  /** The act is in the log at this position. Resolves when that is recorded, or will be. */
  commit(made: readonly Resource[], position: bigint): Promise<void>;
  /** The act was refused: nothing of it is in the log. */
  release(): Promise<void>;
  /** All is done that this process will do. What the image's stream says is recorded; it may still be under way. */
  close(): Promise<void>;
}

/** Room for bytes of which nobody knows how many will come. */
export interface GrowingHold extends Hold {
  /** Resolves when there is room for so many in all; rejects with `Refused` when there is none. */
  admit(total: number): Promise<void>;
  /** So many have come, and no more will. */
  settle(total: number): Promise<void>;
}

export interface Wanted extends Pick<Reservation, 'reservationId' | 'imageId' | 'act' | 'attempt'> {
  /** Null for a project that owns nothing: it has no quota. */
  readonly projectId: string | null;
  readonly amounts: Amounts;
  /** An attempt's own: another process may have held it before, and this one goes on with what is there. */
  readonly isResumed?: boolean;
}

export interface QuotaHolds {
  /** Rejects with `Refused` or `LimitsUnavailable`. Where nothing is limited nothing is written. */
  hold(wanted: Wanted, origin: Origin): Promise<Hold>;
  /** The same, for an amount of `grows` that is not known beforehand. */
  holdGrowing(wanted: Wanted, grows: Resource, origin: Origin): Promise<GrowingHold>;
  /** Give it every event of the log: others may seek room that this process holds in advance. */
  heard(event: RecordedEvent): void;
}

export interface HoldPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly ledger: QuotaLedger;
  readonly limits: Limits;
  /** This process. */
  readonly owner: string;
  readonly logger: Logger;
  /** Most bytes that an upload takes in advance. */
  readonly slice?: number;
}

const usualSlice = 64 * 1024 ** 2;
const deadlineMs = 15_000;
const retryMs = 1_000;
/** How long others get to give back what they do not need: they answer in milliseconds, unless they are dead. */
const seekMs = 3_000;
const lookEveryMs = 20;

/** What may be held in advance. */
const growable = ['bytes', 'staged'] as const satisfies readonly Resource[];

/** What holds nothing: no limit is set. */
const free: GrowingHold = {
  reservationId: undefined,
  async commit() {},
  async release() {},
  async close() {},
  async admit() {},
  async settle() {},
};

interface Reserved {
  readonly projectId: string;
  readonly limits: Amounts;
  readonly reservation: Reservation;
}

export function quotaHolds(ports: HoldPorts): QuotaHolds {
  const { log, ledger, limits, owner, logger, slice = usualSlice } = ports;
  const settling = { log, handle: handleImage(log), ledger };
  /** What gives back, by reservation, and the stream in which it is heard that it should. */
  const growing = new Map<string, { readonly stream: string; giveBack(): void }>();

  const ask = (projectId: string, asked: Asked, origin: Origin) =>
    ledger.ask(
      projectId,
      asked,
      { commandId: randomUUID(), metadata: origin },
      AbortSignal.timeout(deadlineMs),
    );

  /** What must be recorded in the end; a crash before leaves it to the reconciler. */
  const recorded = async (step: () => Promise<unknown>): Promise<void> => {
    const attempt = async (): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        logger.warn({ err: error }, 'a reservation is not settled yet');
        return false;
      }
    };
    const again = async (): Promise<void> => {
      do await delay(retryMs, undefined, { ref: false });
      while (!(await attempt()));
    };
    if (!(await attempt())) void again();
  };

  /** Before it is refused, others are asked once for room that they hold in advance. */
  const askOrSeek = async (
    projectId: string,
    request: Request,
    reservationId: string,
    grows: Resource,
    origin: Origin,
  ): Promise<readonly QuotaEvent[]> => {
    try {
      return await ask(projectId, request, origin);
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'quota-exceeded') throw error;
      const othersMay = async () => othersMayReturn(await ledger.look(projectId), reservationId);
      if (!(await othersMay())) throw error;
      await ask(projectId, { type: 'Seek', reservationId, resource: grows }, origin);
      const deadline = performance.now() + seekMs;
      while ((await othersMay()) && performance.now() < deadline) await delay(lookEveryMs);
      return await ask(projectId, request, origin);
    }
  };

  const reserved = async (
    { projectId, amounts, isResumed: _, ...rest }: Wanted,
    isGrowing: boolean,
    origin: Origin,
  ): Promise<Reserved | undefined> => {
    if (projectId === null) return undefined;
    const set = await limits.limitsOf(projectId);
    const held = limited(amounts, set);
    if (Object.keys(held).length === 0) return undefined;
    const reservation: Reservation = { ...rest, amounts: held, owner, growing: isGrowing };
    const request: Request = { type: 'Reserve', reservation, limits: set };
    const scarce = growable.find((resource) => held[resource] !== undefined);
    await (scarce === undefined
      ? ask(projectId, request, origin)
      : askOrSeek(projectId, request, rest.reservationId, scarce, origin));
    return { projectId, limits: set, reservation };
  };

  const holding = ({ projectId, reservation }: Reserved, origin: Origin): Hold => {
    const { reservationId } = reservation;
    const change = (asked: Asked) => recorded(() => ask(projectId, asked, origin));
    let released = false;
    return {
      reservationId,
      commit: (made, position) =>
        change({ type: 'Commit', reservationId, resources: made, position }),
      release() {
        released = true;
        return change({ type: 'Release', reservationId, reason: 'refused', position: 0n });
      },
      async close() {
        if (released) return;
        await recorded(() => {
          const deadline = AbortSignal.timeout(deadlineMs);
          return settleReservation(settling, projectId, reservation, true, origin, deadline);
        });
      },
    };
  };

  const hold = async (wanted: Wanted, origin: Origin): Promise<Hold> => {
    const one = await reserved(wanted, false, origin);
    return one === undefined ? free : holding(one, origin);
  };

  const holdGrowing = async (
    wanted: Wanted,
    grows: Resource,
    origin: Origin,
  ): Promise<GrowingHold> => {
    const one = await reserved(wanted, true, origin);
    if (one === undefined) return free;
    const { projectId, reservation } = one;
    const { reservationId } = reservation;
    const plain = holding(one, origin);
    const limit = one.limits[grows];
    if (limit === undefined) return { ...plain, async admit() {}, async settle() {} };

    const before = wanted.isResumed ? (await ledger.look(projectId)).open.get(reservationId) : null;
    let granted = (before ?? reservation).amounts[grows] ?? 0;
    let used = 0;
    let extending = false;
    let wantedBack = false;

    const giveBackTo = (to: number): Promise<void> => {
      granted = to;
      const asked = { type: 'Return', reservationId, resource: grows, to } as const;
      return recorded(() => ask(projectId, asked, origin));
    };
    const extend = async (needed: number): Promise<number> => {
      const request = {
        type: 'Extend',
        reservationId,
        resource: grows,
        needed,
        slack: slice,
        limit,
      } as const;
      const [event] = await askOrSeek(projectId, request, reservationId, grows, origin);
      return event?.type === 'QuotaExtended' ? event.data.by : needed;
    };

    const stream = projectStream(projectId);
    growing.set(reservationId, {
      stream,
      giveBack() {
        if (extending) wantedBack = true;
        else void giveBackTo(used);
      },
    });
    const over = (): boolean => growing.delete(reservationId);
    return {
      ...plain,
      async admit(total) {
        used = total;
        if (total <= granted) return;
        extending = true;
        try {
          granted += await extend(total - granted);
        } finally {
          extending = false;
        }
        if (!wantedBack) return;
        wantedBack = false;
        void giveBackTo(used);
      },
      async settle(total) {
        over();
        if (total < granted) await giveBackTo(total);
      },
      release() {
        over();
        return plain.release();
      },
      close() {
        over();
        return plain.close();
      },
    };
  };

  return {
    hold,
    holdGrowing,
    heard({ streamId, ...event }) {
      const { type, data } = event as unknown as QuotaEvent;
      if (type !== 'QuotaSought') return;
      for (const [reservationId, one] of growing)
        if (one.stream === streamId && reservationId !== data.reservationId) one.giveBack();
    },
  };
}
