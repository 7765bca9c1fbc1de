/** A staged upload: the bytes of one attempt to fill one image. Both parts are UUIDs. */
export interface StagedKey {
  readonly imageId: string;
  readonly uploadId: string;
}

/** Bytes on their way in. Nothing is promised of them until `seal`. */
export interface StagedWriter {
  /** Appends in order. Resolves when the bytes are readable below the watermark. Rejects with `StagingFull`. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Makes every byte and the name durable (fsync of file and directory); gives the size in bytes. After a failure the object is worthless. */
  seal(): Promise<number>;
  /** Closes and removes what was written. */
  abort(): Promise<void>;
}

/** A staged object being read, possibly while it grows. */
export interface StagedReader {
  /** A local file that may be hard-linked, or null where staging is elsewhere. */
  readonly path: string | null;
  /** How many contiguous bytes from the start can be read now. Never says that the object is complete. */
  watermark(): Promise<number>;
  /** Fills `into` from `offset`, short only at the watermark; gives the count. */
  read(into: Uint8Array, offset: number): Promise<number>;
  close(): Promise<void>;
}

/** Where uploads wait for ingest. */
export interface Staging {
  /** Rejects with `StagingFull` where no object can be made; an existing object of this key is an error. */
  create(key: StagedKey): Promise<StagedWriter>;
  /** Rejects with `StagedMissing`. */
  open(key: StagedKey): Promise<StagedReader>;
  /** Removes it, if it is there. */
  remove(key: StagedKey): Promise<void>;
  /** Every object that is there, in no order. */
  list(): AsyncIterable<StagedKey>;
}

export class StagingFull extends Error {
  constructor(cause: unknown) {
    super('there is no room left to stage the upload', { cause });
    this.name = 'StagingFull';
  }
}

export class StagedMissing extends Error {
  constructor(key: StagedKey, cause?: unknown) {
    super(`nothing is staged as ${key.imageId}/${key.uploadId}`, { cause });
    this.name = 'StagedMissing';
  }
}
