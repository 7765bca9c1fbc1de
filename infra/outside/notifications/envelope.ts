import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { Json, JsonObject } from '../../../domain/json.ts';
import { eventId } from '../../event-id.ts';

/** One of Glance's notifications, without its envelope. `error` is for what failed. */
export interface Notification {
  readonly type: string;
  readonly priority: 'info' | 'error';
  readonly payload: Json;
}

export const told = (type: string, payload: Json): Notification => ({
  type,
  priority: 'info',
  payload,
});

/** Whole seconds, UTC, as Glance has its times. */
export const isoTime = (time: Date | string): string =>
  `${new Date(time).toISOString().slice(0, 19)}Z`;

/** Of `index` among those of the event: the same again when it is made again. */
export const messageId = ({ id }: RecordedEvent, index: number): string =>
  eventId(id, 'notification', index);

/**
 * As oslo.messaging has it on the wire (version 2.0): a JSON text in a JSON document, context in names that begin with
 * `_context_`. What says who acted is in the event; names of users are nowhere.
 */
export function envelope(
  event: RecordedEvent,
  { type, priority, payload }: Notification,
  { index, publisherId }: { readonly index: number; readonly publisherId: string },
): JsonObject {
  const { actor, requestId, globalRequestId } = event.metadata;
  const id = messageId(event, index);
  const message = {
    message_id: id,
    publisher_id: publisherId,
    event_type: type,
    priority: priority.toUpperCase(),
    payload,
    timestamp: `${event.recordedAt.toISOString().slice(0, -1).replace('T', ' ')}000`,
    _unique_id: id.replaceAll('-', ''),
    _context_request_id: requestId,
    _context_global_request_id: globalRequestId ?? null,
    _context_user_id: actor.kind === 'user' ? actor.userId : null,
    _context_project_id: actor.kind === 'user' ? actor.projectId : null,
  };
  return { 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) };
}
