import { LRUCache } from 'lru-cache';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { imageIdOf } from './fold.ts';
import { followedImages } from './followed.ts';
import type { Images } from './images.ts';
import type { ListQuery } from './list-query.ts';
import { weightOfPage } from './page.ts';
import type { ImageRecord } from './record.ts';

/** What a process knows of its own view of the log. */
export interface Standing {
  /** Whether everybody who answers a success waits for what this process has heard: only then may it answer from memory. */
  isCurrent(): boolean;
  /** A position that the checkpoint of the images read model has reached, as far as is known. */
  reached(): bigint;
}

export interface NearImages extends Images {
  /** To be told of every event of the log, in order: what it touches is asked anew. */
  heard(event: RecordedEvent): void;
  /** Keeps nothing of what it has: the log itself may have gone back. */
  forget(): void;
}

export interface NearBounds {
  /** Characters of images, and of pages, that are kept; each. As many again of images that are followed. */
  readonly weight: number;
}

/** An answer on its way. It may be given to whoever asks meanwhile, and kept, until something touches what it is about. */
interface Flight<Answer> {
  readonly answer: Promise<Answer>;
  touched: boolean;
}

const absent = { record: undefined } as const;
type Kept = { readonly record: ImageRecord | undefined };

const memberOf = 256;

/**
 * Images answered from memory while the log says that nothing has changed. An answer is kept only if it was read when
 * the read model had everything in that had been heard of it, and until an event touches it: one image by its own
 * events, a page by those of any image. One whose every event was heard is not read at all, once the read model has it. Where this process is not current, every question goes to the read model.
 */
export function nearImages(images: Images, standing: Standing, { weight }: NearBounds): NearImages {
  // Each weighs twice: whoever answers with it keeps its text beside it.
  const records = new LRUCache<string, Kept>({
    maxSize: weight,
    sizeCalculation: ({ record }) => (record === undefined ? memberOf : 2 * weightOfPage([record])),
  });
  const pages = new LRUCache<string, { readonly page: readonly ImageRecord[] }>({
    maxSize: weight,
    sizeCalculation: ({ page }, key) => key.length + memberOf + 2 * weightOfPage(page),
  });
  const followed = followedImages(weight);
  const shows = new Map<string, Flight<ImageRecord | undefined>>();
  const lists = new Map<string, Flight<readonly ImageRecord[]>>();
  /** Newest event of each image that the read model is not known to have in. */
  const ahead = new Map<string, bigint>();
  let newest = 0n;

  const caughtUpWith = (position: bigint): boolean => position <= standing.reached();

  const trimAhead = (): void => {
    for (const [imageId, position] of ahead) {
      if (!caughtUpWith(position)) break; // in the order of the log, nearly: what is left goes the next time
      ahead.delete(imageId);
    }
  };

  /** One question at a time for all who ask the same; `keep` is called if the answer still stands when it is there. */
  const asked = <Answer>(
    flights: Map<string, Flight<Answer>>,
    key: string,
    mayKeep: boolean,
    ask: () => Promise<Answer>,
    keep: (answer: Answer) => void,
  ): Promise<Answer> => {
    const other = flights.get(key);
    if (other !== undefined && !other.touched) return other.answer;
    const flight: Flight<Answer> = {
      touched: !mayKeep,
      answer: ask().then((answer) => {
        if (!flight.touched && standing.isCurrent()) keep(answer);
        return answer;
      }),
    };
    if (mayKeep) {
      flights.set(key, flight);
      const landed = (): void => {
        if (flights.get(key) === flight) flights.delete(key);
      };
      flight.answer.then(landed, landed);
    }
    return flight.answer;
  };

  return {
    ...images,
    show(imageId) {
      if (!standing.isCurrent()) return images.show(imageId);
      const kept = records.get(imageId);
      if (kept !== undefined) return Promise.resolve(kept.record);
      const mayKeep = caughtUpWith(ahead.get(imageId) ?? 0n);
      const own = mayKeep ? followed.get(imageId) : undefined;
      if (own !== undefined && isAtRest(own.record) && caughtUpWith(own.position)) {
        records.set(imageId, { record: own.record });
        return Promise.resolve(own.record);
      }
      return asked(
        shows,
        imageId,
        mayKeep,
        () => images.show(imageId),
        (record) => {
          if (record === undefined) records.set(imageId, absent);
          else if (isAtRest(record)) records.set(imageId, { record });
        },
      );
    },
    list(query) {
      if (!standing.isCurrent()) return images.list(query);
      const key = keyOf(query);
      const kept = pages.get(key);
      if (kept !== undefined) return Promise.resolve(kept.page);
      return asked(
        lists,
        key,
        caughtUpWith(newest),
        () => images.list(query),
        (page) => {
          if (page.every(isAtRest)) pages.set(key, { page });
        },
      );
    },
    heard(event) {
      const imageId = imageIdOf(event);
      if (imageId === undefined) return;
      followed.heard(event);
      newest = event.position;
      records.delete(imageId);
      pages.clear();
      ahead.delete(imageId);
      ahead.set(imageId, event.position);
      const shown = shows.get(imageId);
      if (shown !== undefined) shown.touched = true;
      for (const flight of lists.values()) flight.touched = true;
      trimAhead();
    },
    forget() {
      followed.forget();
      records.clear();
      pages.clear();
      for (const flights of [shows, lists])
        for (const flight of flights.values()) flight.touched = true;
    },
  };
}

/**
 * Work that goes on without a request has nobody who waits until every process has heard of it: kept, an image that one
 * process shows as active could be seen on its way again at another.
 */
const isAtRest = ({ status, imports }: ImageRecord): boolean =>
  !onTheirWay.has(status) && (imports?.taskId ?? null) === null;

const onTheirWay: ReadonlySet<ImageRecord['status']> = new Set([
  'saving',
  'uploading',
  'importing',
]);

/** Equal for equal questions. */
const keyOf = (query: ListQuery): string => JSON.stringify(query);
