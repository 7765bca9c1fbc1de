import type { Amounts, Resource } from './resources.ts';

/**
 * What the reservation is for, and so how it is known to have come true:
 *
 *     command   at once, by the one command whose id is the reservation's: creating an image, giving it to another project
 *     upload    step by step, by the upload that `attempt` names, from its UploadStarted on
 *     import    step by step, by the import that `attempt` names, from its ImportRequested on
 */
export type Act = 'command' | 'upload' | 'import';

/** Room that is held for something which is about to happen to an image. */
export interface Reservation {
  /** UUID. */
  readonly reservationId: string;
  readonly imageId: string;
  readonly act: Act;
  /** The upload id; for a command its own id. */
  readonly attempt: string;
  /** The process that acts. */
  readonly owner: string;
  /** What is held and has not come true yet. */
  readonly amounts: Amounts;
  /** Nobody knows how much it will need: room is taken in advance, and given back when another seeks it. */
  readonly growing: boolean;
}

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/** What happens in the stream of a project, `project-{id}`: only what is in flight. What is used, the images say. */
export type QuotaEvent =
  /** `limits` are those that it was measured against. */
  | Fact<'QuotaReserved', Reservation & { limits: Amounts }>
  | Fact<'QuotaExtended', { reservationId: string; resource: Resource; by: number; limit: number }>
  /** It turned out that less is needed, or no more than this so far. */
  | Fact<'QuotaReturned', { reservationId: string; resource: Resource; to: number }>
  /** Short of room that other growing ones hold and may not need. Each of them answers with `QuotaReturned`. */
  | Fact<'QuotaSought', { reservationId: string; resource: Resource }>
  /** It came true: `position` (a decimal string) is that of the image's event, from which on the image counts itself. */
  | Fact<
      'QuotaCommitted',
      { reservationId: string; resources: readonly Resource[]; position: string }
    >
  /** What is still held of it will not come true: `position` is where the image's stream says so, 0 where it says nothing. */
  | Fact<'QuotaReleased', { reservationId: string; reason: string; position: string }>;

/** In the stream of an image: the act of a reservation has not begun, and from here on is refused. Its process is dead. */
export type ReservationAbandoned = Fact<'ReservationAbandoned', { reservationId: string }>;
