import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { evolve } from '../../domain/image/evolve.ts';
import {
  absent,
  type Image,
  isDownload,
  type Location,
  ownCopies,
  uploadOf,
} from '../../domain/image/state.ts';
import { storeKey } from '../../domain/store.ts';

/** What is to become of some bytes. Only `garbage` may be removed. */
export type Judgement =
  /** The log has made them unnameable for good. */
  | 'garbage'
  /** They are named, or may still be. */
  | 'needed'
  /** The log knows nothing of them: not ours to touch. */
  | 'unknown';

/** One image's stream, read to say which bytes nobody can name any more. */
export interface Judge {
  /** Of an upload's staged bytes. */
  staged(uploadId: string): Judgement;
  /** Of one store's bytes under a key. */
  stored(store: string, key: string): Judgement;
  /** Uploads and keys that this image's attempts may have left bytes under. */
  readonly uploads: readonly string[];
  readonly keys: readonly string[];
  /** Attempts in which somebody's token was used. */
  readonly withToken: readonly string[];
  readonly state: Image;
}

/**
 * Sound only if the bytes were seen before the stream was read: a gateway appends `UploadStarted` before it stages,
 * and what is to be downloaded has its `ImportRequested` before; a worker appends `IngestClaimed` before it stores.
 */
export function judgeOf(imageId: string, recorded: readonly RecordedEvent[]): Judge {
  const events = recorded as unknown as readonly ImageEvent[];
  const state = events.reduce(evolve, absent);
  const uploads = events.flatMap((event) =>
    event.type === 'UploadStarted' ||
    (event.type === 'ImportRequested' && isDownload(event.data.method))
      ? [event.data.uploadId]
      : [],
  );
  const claims = events.flatMap((event) => (event.type === 'IngestClaimed' ? [event.data] : []));
  const named = ownCopies(state);
  const couldWrite = (uploadId: string, store: string): boolean =>
    events.some(
      ({ type, data }) =>
        (type === 'UploadStarted' && data.uploadId === uploadId && data.store === store) ||
        (type === 'ImportRequested' && data.uploadId === uploadId && data.stores.includes(store)),
    );
  const open = uploadOf(state);

  return {
    state,
    uploads,
    withToken: events.flatMap(({ type, data }) =>
      type === 'ImportRequested' && data.method.name === 'glance-download' ? [data.uploadId] : [],
    ),
    keys: claims.map(({ uploadId, epoch }) => storeKey(imageId, uploadId, epoch)),
    staged(uploadId) {
      if (!uploads.includes(uploadId)) return state.status === 'deleted' ? 'garbage' : 'unknown';
      return uploadId === open?.uploadId ? 'needed' : 'garbage';
    },
    stored(store, key) {
      const isHere = (copy: Location): boolean => copy.store === store && copy.key === key;
      if (named.some(isHere) || open?.content.locations.some(isHere)) return 'needed';
      const claim = claims.find(
        ({ uploadId, epoch }) => storeKey(imageId, uploadId, epoch) === key,
      );
      if (claim === undefined) return state.status === 'deleted' ? 'garbage' : 'unknown';
      if (claim.uploadId === open?.uploadId && claim.epoch >= open.epoch) return 'needed';
      // The image's own bytes in a store that it never went to: the operator calls the place by another name now.
      const isMisplaced =
        named.some((copy) => copy.key === key) && !couldWrite(claim.uploadId, store);
      return isMisplaced ? 'unknown' : 'garbage';
    },
  };
}
