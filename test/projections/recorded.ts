import { createHash } from 'node:crypto';
import type { NewEvent, RecordedEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { NamespaceEvent } from '../../domain/metadef/events.ts';

export const plain: Attributes = {
  name: 'cirros',
  owner: 'project-a',
  visibility: 'shared',
  protected: false,
  hidden: false,
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  minDisk: 0,
  minRam: 0,
  tags: [],
  properties: {},
};

/** A UUID that is the same at each run. */
export const uuid = (seed: string): string => {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

export const newEvent = ({ type, data }: ImageEvent | NamespaceEvent, seed: string): NewEvent => ({
  id: uuid(seed),
  type,
  schemaVersion: 1,
  data: data as JsonObject,
  metadata: {
    actor: { kind: 'user', userId: 'user', projectId: 'project-a', roles: ['member'] },
    requestId: 'req-1',
    causationId: 'cause',
    correlationId: `correlation of ${type}`,
  },
});

/** When the event at a position was recorded: a second and a millisecond apart. */
export const at = (position: number): Date => new Date(Date.UTC(2026, 4, 1) + position * 1001);

/** Events of one image, at positions 1, 2, 3 … of a log that holds nothing else. */
export const recorded = (
  imageId: string,
  events: readonly (ImageEvent | NamespaceEvent)[],
): RecordedEvent[] =>
  events.map((event, index) => ({
    ...newEvent(event, `${imageId} ${index}`),
    streamId: `image-${imageId}`,
    revision: index,
    position: BigInt(index + 1),
    recordedAt: at(index + 1),
  }));
