import { Refused } from '../refused.ts';
import type { ImageCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import type { Image } from './state.ts';

/** A process that was taken for dead comes too late with what it had reserved room for: others may have the room now. */
export function guardReservation(command: ImageCommand, state: Image): void {
  if (!('reservation' in command) || command.reservation === undefined) return;
  if (state.status === 'deleted' || !state.abandoned?.includes(command.reservation)) return;
  throw new Refused(
    'reservation-abandoned',
    'The request took so long that its room was given to others. Try again.',
  );
}

/** After an act that has begun it means nothing, so it need not be looked for. */
export function decideAbandonment(reservationId: string, state: Image): readonly ImageEvent[] {
  return state.status === 'deleted' || state.abandoned?.includes(reservationId)
    ? []
    : [{ type: 'ReservationAbandoned', data: { reservationId } }];
}
