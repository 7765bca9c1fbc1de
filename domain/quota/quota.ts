import type { Decider } from '../decider.ts';
import { Refused } from '../refused.ts';
import type { QuotaEvent, Reservation } from './events.ts';
import { type Amounts, type Resource, resources, type Usage, wireName } from './resources.ts';

/*
 * A project's quota is a saga over its stream, and only where a limit is set:
 *
 *     reserve ──▶ act, in the image's stream ──▶ commit, with the position of the act
 *                  │
 *                  └─ it does not come to that ──▶ release
 *
 * What is used is never written down: it is what the images say at a checkpoint C of their read model, usage(C). The stream
 * holds what is in flight. Reserving an amount is allowed at the stream's revision r, for a limit L, when
 *
 *     usage(C) + everything open at r whose act is not at or before C + amount <= L          with C >= horizon(r)
 *
 * where horizon(r) is the highest position that was committed or released up to r, and is appended on condition that the stream is
 * still at r. Nothing ever overshoots then, on any number of gateways:
 *
 *   1. Whatever raises usage at position p has its reservation in the stream before p, of at least its size.
 *   2. At the time of the append, each act that has happened or may still happen was reserved at or before r: the fence
 *      excludes rivals. Its reservation is released: then it never acts (the image's stream refuses it, see
 *      `ReservationAbandoned`), and what it did in part is at or before horizon(r). Or committed: then p <= horizon(r) <= C, and usage(C) has it. Or open: then either p <= C
 *      and usage(C) has it, or it is in the sum. So the left side is at least what usage can ever become without a new
 *      reservation, until something is deleted, which only lowers it.
 *
 * Order matters once: what is known of an act (`counted`) must be true at C, so C is read first and the acts are looked up
 * afterwards; an act at or before C is in the image's stream by then. The stream may be read before or after C, since
 * the fence makes r the truth at the append whenever it was read.
 *
 * Nothing is refused needlessly: an open reservation counts once, either by itself or by its act; usage(C) is taken from
 * the log's head before a refusal, so what was deleted before the request does not count; and of uploads whose size nobody
 * knows, each holds some room in advance, less and less as the limit comes near. Who is short of it says so (`QuotaSought`)
 * and waits until each of the others has answered by giving back what it does not need yet; until all these have ended
 * nobody takes anything in advance again. So uploads that fit together all succeed, unless a process dies meanwhile.
 *
 * A crash leaves an open reservation. Whoever finds its process dead looks at the image's stream: the act is there, it is
 * committed; its upload has ended without it, it is released; it has not begun, it is abandoned there first.
 */

export interface OpenReservation extends Reservation {
  /** It takes nothing in advance any more, since somebody was short of room. */
  readonly exact: boolean;
}

/** What is in flight in one project. */
export interface Ledger {
  readonly open: ReadonlyMap<string, OpenReservation>;
  /** The highest position that was committed or released: usage is not to be read below it. */
  readonly horizon: bigint;
}

/** What the images say, and which reservations (`reservationId/resource`) they say it of. */
export interface Grounds {
  readonly projectId: string;
  readonly usage: Usage;
  readonly counted: ReadonlySet<string>;
}

type Ask<Type extends string, Data> = { readonly type: Type } & Readonly<Data>;

export type Request =
  | Ask<'Reserve', { reservation: Reservation; limits: Amounts }>
  /** More by `needed` at least and by `slack` at most beyond that. */
  | Ask<
      'Extend',
      { reservationId: string; resource: Resource; needed: number; slack: number; limit: number }
    >;

export type QuotaCommand =
  | (Request & { readonly grounds: Grounds })
  | Ask<'Return', { reservationId: string; resource: Resource; to: number }>
  | Ask<'Seek', { reservationId: string; resource: Resource }>
  | Ask<'Commit', { reservationId: string; resources: readonly Resource[]; position: bigint }>
  | Ask<'Release', { reservationId: string; reason: string; position: bigint }>;

export const noneOpen: Ledger = { open: new Map(), horizon: 0n };

/** A repeat of anything changes nothing, and neither does settling what is settled. */
export const quota: Decider<Ledger, QuotaCommand, QuotaEvent> = {
  initial: noneOpen,

  decide(command, ledger) {
    switch (command.type) {
      case 'Reserve':
        return decideReservation(command, ledger);
      case 'Extend':
        return decideExtension(command, ledger);
      case 'Return': {
        const { reservationId, resource, to } = command;
        const reservation = ledger.open.get(reservationId);
        const held = reservation?.amounts[resource] ?? 0;
        const answers = reservation?.growing === true && !reservation.exact;
        return held > to || (held === to && answers)
          ? [{ type: 'QuotaReturned', data: { reservationId, resource, to } }]
          : [];
      }
      case 'Seek': {
        const { reservationId, resource } = command;
        return othersMayReturn(ledger, reservationId)
          ? [{ type: 'QuotaSought', data: { reservationId, resource } }]
          : [];
      }
      case 'Commit': {
        const { reservationId, position } = command;
        const held = ledger.open.get(reservationId)?.amounts ?? {};
        const known = command.resources.filter((resource) => held[resource] !== undefined);
        return known.length === 0
          ? []
          : [
              {
                type: 'QuotaCommitted',
                data: { reservationId, resources: known, position: String(position) },
              },
            ];
      }
      case 'Release': {
        const { reservationId, reason } = command;
        const position = String(command.position);
        return ledger.open.has(reservationId)
          ? [{ type: 'QuotaReleased', data: { reservationId, reason, position } }]
          : [];
      }
    }
  },

  evolve(ledger, event) {
    const { reservationId } = event.data;
    if (event.type === 'QuotaReserved') {
      const { limits: _, ...reservation } = event.data;
      return changed(ledger, { ...reservation, exact: isScarce(ledger) });
    }
    const reservation = ledger.open.get(reservationId);
    if (reservation === undefined) return ledger;
    const { amounts } = reservation;
    switch (event.type) {
      case 'QuotaExtended': {
        const { by, resource } = event.data;
        const extended = { ...amounts, [resource]: (amounts[resource] ?? 0) + by };
        return changed(ledger, { ...reservation, amounts: extended });
      }
      case 'QuotaReturned': {
        const returned = { ...amounts, [event.data.resource]: event.data.to };
        return changed(ledger, { ...reservation, amounts: returned, exact: true });
      }
      case 'QuotaSought':
        return changed(ledger, { ...reservation, exact: true });
      case 'QuotaCommitted': {
        const left = Object.entries(amounts).filter(
          ([resource]) => !event.data.resources.includes(resource as Resource),
        );
        return changed(
          reaching(ledger, event.data.position),
          { ...reservation, amounts: Object.fromEntries(left) },
          left.length === 0,
        );
      }
      case 'QuotaReleased':
        return changed(reaching(ledger, event.data.position), reservation, true);
    }
  },
};

function changed(ledger: Ledger, reservation: OpenReservation, over = false): Ledger {
  const open = new Map(ledger.open);
  if (over) open.delete(reservation.reservationId);
  else open.set(reservation.reservationId, reservation);
  return { ...ledger, open };
}

function reaching(ledger: Ledger, position: string): Ledger {
  const reached = BigInt(position);
  return reached > ledger.horizon ? { ...ledger, horizon: reached } : ledger;
}

function decideReservation(
  { reservation, limits, grounds }: QuotaCommand & { type: 'Reserve' },
  ledger: Ledger,
): readonly QuotaEvent[] {
  if (ledger.open.has(reservation.reservationId)) return [];
  for (const resource of resources) {
    const amount = reservation.amounts[resource];
    const limit = limits[resource];
    if (amount === undefined || limit === undefined) continue;
    const taken = takenOf(resource, ledger, grounds);
    if (taken + amount > limit) throw exceeded(resource, grounds.projectId, limit, taken, amount);
  }
  return [{ type: 'QuotaReserved', data: { ...reservation, limits } }];
}

function decideExtension(
  { reservationId, resource, needed, slack, limit, grounds }: QuotaCommand & { type: 'Extend' },
  ledger: Ledger,
): readonly QuotaEvent[] {
  if (!ledger.open.has(reservationId))
    throw new Refused('upload-ended', 'The room that was reserved for the upload is given up.');
  const taken = takenOf(resource, ledger, grounds);
  const left = limit - taken - needed;
  if (left < 0) throw exceeded(resource, grounds.projectId, limit, taken, needed);
  const by = needed + (isScarce(ledger) ? 0 : Math.min(slack, advance(left)));
  return [{ type: 'QuotaExtended', data: { reservationId, resource, by, limit } }];
}

const leastAdvance = 1024 ** 2;

/** Of what is left, how much one upload may take before it needs it: the less there is, the less it keeps from others. */
const advance = (left: number): number =>
  Math.max(Math.floor(left / 2), Math.min(left, leastAdvance));

/** Somebody was short of room, and one of those who heard of it is still there. */
const isScarce = ({ open }: Ledger): boolean => [...open.values()].some(({ exact }) => exact);

/** Whether others hold room in advance, which they give back when somebody seeks it. */
export const othersMayReturn = ({ open }: Ledger, reservationId: string): boolean =>
  [...open.values()].some(
    (other) => other.reservationId !== reservationId && other.growing && !other.exact,
  );

/** What is used of a resource, or may come to be used without asking again. */
const takenOf = (resource: Resource, ledger: Ledger, { usage, counted }: Grounds): number =>
  [...ledger.open.values()].reduce(
    (sum, { amounts, reservationId }) =>
      counted.has(countedKey(reservationId, resource)) ? sum : sum + (amounts[resource] ?? 0),
    usage[resource],
  );

export const countedKey = (reservationId: string, resource: Resource): string =>
  `${reservationId}/${resource}`;

/** A reservation that may be counted twice: by itself, and by its act that usage has already. */
export interface Doubt {
  readonly reservation: Reservation;
  readonly resource: Resource;
}

/**
 * What must be looked up before a request may be refused: open reservations of each resource that would be short, where
 * it would not be if their acts had been counted. None when it fits, or is too much whatever they turn out to be.
 */
export function doubtsOf(request: Request, ledger: Ledger, grounds: Grounds): readonly Doubt[] {
  const doubts: Doubt[] = [];
  for (const [resource, amount, limit] of asked(request)) {
    if (takenOf(resource, ledger, grounds) + amount <= limit) continue;
    if (grounds.usage[resource] + amount > limit) return [];
    for (const reservation of ledger.open.values())
      if (
        reservation.amounts[resource] &&
        !grounds.counted.has(countedKey(reservation.reservationId, resource))
      )
        doubts.push({ reservation, resource });
  }
  return doubts;
}

const asked = (request: Request): readonly (readonly [Resource, number, number])[] =>
  request.type === 'Extend'
    ? [[request.resource, request.needed, request.limit]]
    : resources.flatMap((resource) => {
        const amount = request.reservation.amounts[resource];
        const limit = request.limits[resource];
        return amount === undefined || limit === undefined ? [] : [[resource, amount, limit]];
      });

/** In the words of Glance and of oslo.limit, which clients show. */
function exceeded(
  resource: Resource,
  projectId: string,
  limit: number,
  taken: number,
  amount: number,
): Refused {
  const message =
    resource === 'bytes' || resource === 'staged'
      ? `Image exceeds the ${resource === 'bytes' ? 'storage' : 'staging'} quota: The size of the data ${amount} will exceed the limit. ${Math.max(0, limit - taken)} bytes remaining.`
      : `Project ${projectId} is over a limit for [Resource ${wireName[resource]} is over limit of ${limit} due to current usage ${taken} and delta ${amount}]`;
  return new Refused('quota-exceeded', message);
}
