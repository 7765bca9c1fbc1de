import type { CommandContext } from '../domain/command-handler.ts';
import type { EventLog } from '../domain/event-log.ts';
import type { Reservation } from '../domain/quota/events.ts';
import { type Outcome, outcomeOf } from '../domain/quota/outcome.ts';
import type { Resource } from '../domain/quota/resources.ts';
import { eventId } from '../infra/event-id.ts';
import type { HandleImage } from './handle-image.ts';
import type { QuotaLedger } from './quota-ledger.ts';

export interface SettlingPorts {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly handle: HandleImage;
  readonly ledger: QuotaLedger;
}

/**
 * Makes a reservation's end what the image's stream says. With `abandon` an act that has not begun never will; without, it
 * may. True once nothing of it is open. Whoever does it again, or at once with others, changes nothing.
 */
export async function settleReservation(
  { log, handle, ledger }: SettlingPorts,
  projectId: string,
  reservation: Reservation,
  abandon: boolean,
  metadata: CommandContext['metadata'],
  deadline: AbortSignal,
): Promise<boolean> {
  const { imageId, reservationId } = reservation;
  const stream = `image-${imageId}`;
  const context = (what: string): CommandContext => ({
    commandId: eventId(reservationId, what, 0),
    metadata,
  });
  const look = async (): Promise<readonly (readonly [Resource, Outcome])[]> => {
    const { events } = await log.readStream(stream);
    return (Object.keys(reservation.amounts) as Resource[]).map((resource) => [
      resource,
      outcomeOf(reservation, resource, events),
    ]);
  };

  let outcomes = await look();
  if (abandon && outcomes.some(([, { kind }]) => kind === 'unbegun')) {
    const command = { type: 'AbandonReservation', reservationId } as const;
    await handle(stream, command, context('abandon'), deadline);
    outcomes = await look();
  }
  for (const [resource, outcome] of outcomes) {
    if (outcome.kind !== 'made') continue;
    const { position } = outcome;
    const commit = { type: 'Commit', reservationId, resources: [resource], position } as const;
    await ledger.ask(projectId, commit, context(`commit ${resource}`), deadline);
  }
  const left = outcomes.flatMap(([, outcome]) => (outcome.kind === 'made' ? [] : [outcome]));
  const over = left.flatMap((outcome) => (outcome.kind === 'over' ? [outcome.position] : []));
  if (over.length < left.length) return false;
  const [position] = over;
  if (position === undefined) return true;
  const release = {
    type: 'Release',
    reservationId,
    reason: 'it did not come to that',
    position,
  } as const;
  await ledger.ask(projectId, release, context('release'), deadline);
  return true;
}
