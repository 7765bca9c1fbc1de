import type { ListQuery } from './list-query.ts';
import type { ImageRecord, Work } from './record.ts';

/** What is asked of the images read model. Answers are as of the read model's checkpoint. */
export interface Images {
  /** Undefined when it does not exist or is deleted. Says nothing of who may see it. */
  show(imageId: string): Promise<ImageRecord | undefined>;
  /** One page: shorter than the limit when nothing follows or when it is `isFull` already. Rejects with `MarkerUnknown` when the marker is no image, `MarkerInvisible` when the caller cannot see it. */
  list(query: ListQuery): Promise<readonly ImageRecord[]>;
  /** Everything that the log says is unfinished, oldest first; not what is to be done later. */
  openWork(): Promise<readonly Work[]>;
  /** Which of these copies (`copyName`) an image names; for the sweeper's first look. */
  namedKeys(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Last position that the read model has taken in. */
  checkpoint(): Promise<bigint>;
}

export class MarkerUnknown extends Error {
  constructor(marker: string) {
    super(`Image ${marker} could not be found: it cannot be the marker`);
    this.name = 'MarkerUnknown';
  }
}

export class MarkerInvisible extends Error {
  readonly marker: string;

  constructor(marker: string) {
    super(`You are not permitted to use image ${marker} as the marker`);
    this.name = 'MarkerInvisible';
    this.marker = marker;
  }
}

/** Lets a caller wait until what it appended can be seen. */
export interface Visible {
  /** Resolves once the checkpoint of every read model that the API answers from has reached `position`; rejects with `NotYetVisible` after `timeoutMs`. */
  waitFor(position: bigint, timeoutMs: number): Promise<void>;
}

/** Durable, but not to be seen yet. */
export class NotYetVisible extends Error {
  constructor(position: bigint) {
    super(`the change is durable at position ${position}, but not visible yet`);
    this.name = 'NotYetVisible';
  }
}
