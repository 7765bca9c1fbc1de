import type { RecordedEvent } from '../domain/event-log.ts';
import type { Logger } from '../infra/telemetry/logger.ts';

/** What an operator needs to find the event and the reason; not its data, which is the client's. */
export function logUnprojectable(
  logger: Logger,
  { streamId, revision, position, type }: RecordedEvent,
  error: unknown,
): void {
  logger.error(
    { err: error, streamId, revision, position: String(position), type },
    'an event cannot be projected: the read model goes on without it',
  );
}
