import { LRUCache } from 'lru-cache';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { fold, type ImageEntry, imageIdOf } from './fold.ts';
import { weightOfPage } from './page.ts';
import type { ImageRecord } from './record.ts';

/** An image as it is after the newest of its events. */
export interface FollowedImage {
  readonly record: ImageRecord;
  /** Of that event: before the read model has it, nobody may be shown what it changed. */
  readonly position: bigint;
}

interface Followed {
  readonly entry: ImageEntry;
  readonly revision: number;
  readonly position: bigint;
}

/**
 * Images whose every event was heard, from the first: they are what the read model makes of them, by its own fold, and
 * need not be read. At most so many characters of them, the least recently changed or asked for going first.
 */
export function followedImages(weight: number) {
  const images = new LRUCache<string, Followed>({
    maxSize: weight,
    sizeCalculation: ({ entry: { image } }) =>
      image === undefined ? 1 : 3 * weightOfPage([image]),
  });
  return {
    heard(event: RecordedEvent): void {
      const imageId = imageIdOf(event);
      if (imageId === undefined) return;
      const { revision, position } = event;
      const before = images.get(imageId);
      const follows = revision === 0 || before?.revision === revision - 1;
      const entry = follows ? fold(before?.entry ?? {}, event) : {};
      // One that is gone is not asked for: what is told of it afterwards need not be followed.
      if (entry.image === undefined) images.delete(imageId);
      else images.set(imageId, { entry, revision, position });
    },
    get(imageId: string): FollowedImage | undefined {
      const followed = images.get(imageId);
      const image = followed?.entry.image;
      if (followed === undefined || image === undefined) return undefined;
      const { gathered: _, ...record } = image;
      return { record: asStored(record), position: followed.position };
    },
    forget(): void {
      images.clear();
    },
  };
}

/** As Postgres gives it back: what clients see of an object's order is that of its `jsonb`. */
const asStored = (record: ImageRecord): ImageRecord => ({
  ...record,
  properties: inStoredOrder(record.properties),
  locations: inStoredOrder(record.locations),
  imports: inStoredOrder(record.imports),
});

/** Shorter keys first, then by their bytes. */
function inStoredOrder<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inStoredOrder) as Value;
  const entries = Object.entries(value).map(
    ([name, inner]) => [name, inStoredOrder(inner), Buffer.byteLength(name)] as const,
  );
  entries.sort(
    ([one, , length], [other, , otherLength]) =>
      length - otherLength || Buffer.compare(Buffer.from(one), Buffer.from(other)),
  );
  return Object.fromEntries(entries) as Value;
}
