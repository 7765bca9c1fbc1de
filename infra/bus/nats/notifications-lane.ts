import type { EventLog, RecordedEvent } from '../../../domain/event-log.ts';
import { knownBefore } from '../../outside/known.ts';
import { envelope, messageId, type Notification } from '../../outside/notifications/envelope.ts';
import {
  imageKnownAfter,
  imageNotifications,
  nothingKnown,
} from '../../outside/notifications/image.ts';
import { metadefKnownAfter, metadefNotifications } from '../../outside/notifications/metadef.ts';
import { type BusPlace, encode, subjectPrefix } from './lanes.ts';
import type { Lane } from './relay.ts';

export interface NotificationOptions {
  /** Who they say they are from. */
  readonly publisherId: string;
  /** Single ones by name, or groups: `image.member` is all whose names begin so. */
  readonly disabled: readonly string[];
}

/** Images may be large, and few are spoken of at a time. */
const imagesKept = 5_000;
const namespacesKept = 200;

/** Glance's own notifications, for tools that know those: `daguerre.v1.{region}.notifications.{priority}.{event type}`. */
export function notificationsLane(
  log: Pick<EventLog, 'readStream'>,
  { stream, region, ...limits }: BusPlace,
  { publisherId, disabled }: NotificationOptions,
): Lane {
  const prefix = `${subjectPrefix(region)}.notifications`;
  const imageBefore = knownBefore(log, nothingKnown, imageKnownAfter, imagesKept);
  const metadefBefore = knownBefore(log, {}, metadefKnownAfter, namespacesKept);
  const isWanted = ({ type }: Notification): boolean =>
    !disabled.some((name) => type === name || type.startsWith(`${name}.`));

  const notificationsOf = async (event: RecordedEvent): Promise<readonly Notification[]> => {
    if (event.streamId.startsWith('image-'))
      return imageNotifications(event, await imageBefore(event));
    if (event.streamId.startsWith('metadef-'))
      return metadefNotifications(event, await metadefBefore(event));
    return [];
  };

  return {
    name: 'notifications',
    shape: { ...limits, name: `${stream}_NOTIFICATIONS`, subjects: [`${prefix}.>`] },
    from: 'start',
    async messagesOf(event, maxBytes) {
      const all = (await notificationsOf(event)).map((one, index) => [one, index] as const);
      const wanted = all.filter(([one]) => isWanted(one));
      return wanted.map(([notification, index]) => {
        const whole = encode(envelope(event, notification, { index, publisherId }));
        return {
          id: messageId(event, index),
          subject: `${prefix}.${notification.priority}.${notification.type}`,
          contentType: 'application/json',
          body:
            whole.length <= maxBytes
              ? whole
              : encode(envelope(event, withoutProperties(notification), { index, publisherId })),
        };
      });
    },
  };
}

/** What the server does not take is told without what makes it large. */
const withoutProperties = (notification: Notification): Notification => {
  const { payload } = notification;
  return typeof payload === 'object' && payload !== null && 'properties' in payload
    ? {
        ...notification,
        payload: { ...payload, properties: Array.isArray(payload.properties) ? [] : {} },
      }
    : notification;
};
