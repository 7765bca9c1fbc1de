import type { StagedReader } from './staging.ts';

/** One stored object, open for reading at any offset. */
export interface StoredObject {
  /** Bytes. */
  readonly size: number;
  /** Fills `into` from `offset`, short only at the end; gives the count. Rejects with `StoreUnavailable`. */
  read(into: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

/** Where the bytes of images lie; several stores may hold the same key. A key is `{imageId}/{uploadId}/{epoch}` and is written once. */
export interface Store {
  /**
   * Puts the first `size` bytes of a staged object under `key`, durable before it resolves; staging keeps its own.
   * Rejects with `ObjectExists`, `StoreFull` or `StoreUnavailable`; nothing is readable under the key then.
   */
  promote(staged: StagedReader, key: string, size: number, signal: AbortSignal): Promise<void>;
  /** Rejects with `ObjectMissing` or `StoreUnavailable`. */
  open(key: string): Promise<StoredObject>;
  /** Removes it, if it is there. */
  remove(key: string): Promise<void>;
  /** Every key that is there, in no order. */
  list(): AsyncIterable<string>;
}

/** The key of one attempt's bytes. */
export const storeKey = (imageId: string, uploadId: string, epoch: number): string =>
  `${imageId}/${uploadId}/${epoch}`;

/** The bytes of one attempt in one of the stores. */
export const copyName = (store: string, key: string): string => `${store}/${key}`;

export class ObjectExists extends Error {
  constructor(key: string) {
    super(`the store already holds ${key}`);
    this.name = 'ObjectExists';
  }
}

export class ObjectMissing extends Error {
  constructor(key: string, cause?: unknown) {
    super(`the store holds nothing as ${key}`, { cause });
    this.name = 'ObjectMissing';
  }
}

export class StoreFull extends Error {
  constructor(cause: unknown) {
    super('the store is full', { cause });
    this.name = 'StoreFull';
  }
}

export class StoreUnavailable extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StoreUnavailable';
  }
}
