import type { RecordedEvent } from '../event-log.ts';
import type { ImageEvent } from '../image/events.ts';
import { isDownload } from '../image/state.ts';
import type { Reservation, ReservationAbandoned } from './events.ts';
import type { Resource } from './resources.ts';

/** What became of a reservation's act, by the image's stream. */
export type Outcome =
  /** It came true here, and the image counts itself from here on. */
  | { readonly kind: 'made'; readonly position: bigint }
  /** It never will any more. What was done of it in part was done before here. */
  | { readonly kind: 'over'; readonly position: bigint }
  /** Its upload or import is under way. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'unbegun' };

/** `events` are the image's, all of them. */
export function outcomeOf(
  reservation: Pick<Reservation, 'reservationId' | 'act' | 'attempt'>,
  resource: Resource,
  events: readonly RecordedEvent[],
): Outcome {
  let outcome: Outcome = { kind: 'unbegun' };
  for (const recorded of events) {
    const event = recorded as unknown as Recorded;
    if (makes(reservation, resource, event)) return { kind: 'made', position: recorded.position };
    if (ends(reservation, event, outcome)) return { kind: 'over', position: recorded.position };
    if (begins(reservation, event)) outcome = { kind: 'begun' };
  }
  return outcome;
}

type Recorded = (ImageEvent | ReservationAbandoned) & RecordedEvent;
type Acting = Pick<Reservation, 'reservationId' | 'act' | 'attempt'>;

const isOf = (event: Recorded, attempt: string): boolean =>
  'uploadId' in event.data && event.data.uploadId === attempt;

const beginnings = { upload: 'UploadStarted', import: 'ImportRequested' } as const;

const begins = ({ act, attempt }: Acting, event: Recorded): boolean =>
  act !== 'command' && event.type === beginnings[act] && isOf(event, attempt);

function makes(acting: Acting, resource: Resource, event: Recorded): boolean {
  const { act, attempt, reservationId } = acting;
  if (act === 'command') return event.metadata.causationId === reservationId;
  if (!isOf(event, attempt)) return false;
  switch (resource) {
    case 'images':
      return false;
    case 'uploads':
      return begins(acting, event);
    case 'staged':
      if (act === 'upload') return event.type === 'UploadStaged';
      return event.type === 'ImportRequested'
        ? !isDownload(event.data.method)
        : event.type === 'ImportFetched';
    case 'bytes':
      return event.type === (act === 'upload' ? 'ImageActivated' : 'ImportCompleted');
  }
}

/** After which the act cannot happen any more. */
function ends({ attempt, reservationId }: Acting, event: Recorded, before: Outcome): boolean {
  switch (event.type) {
    case 'ReservationAbandoned':
      return event.data.reservationId === reservationId && before.kind === 'unbegun';
    case 'UploadAborted':
    case 'IngestFailed':
      return event.data.uploadId === attempt;
    case 'ImageDeleted':
    case 'ImageDeletionScheduled':
      return true;
    default:
      return false;
  }
}
