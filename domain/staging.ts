import type { JsonObject } from './json.ts';

/** A staged upload: the bytes of one attempt to fill one image. Both parts are UUIDs. */
export interface StagedKey {
  readonly imageId: string;
  readonly uploadId: string;
}

/** Bytes on their way in. Nothing is promised of them until `seal`. */
export interface StagedWriter {
  /** Appends in order. Resolves when the bytes are readable below the watermark, and the chunks are no longer needed. Rejects with `StagingFull`. */
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

/** Bytes from `start` up to, not including, `end`. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** What the newest checkpoint of a partial object is about. */
export interface Checkpointed {
  /** Whatever its writer has to remember; null before the first checkpoint. */
  readonly note: JsonObject | null;
  /** The bytes that are there, in order and with gaps in between. */
  readonly written: readonly Extent[];
  /** The object is whole and has so many bytes; null while it is not. */
  readonly sealed: number | null;
}

/**
 * Bytes on their way in that outlive their writer, in any order. A crash leaves what the last checkpoint says, bytes and
 * note together, or nothing. One writer at a time: whoever resumes an object takes it from whoever had it, whose
 * bytes reach it no more, and whose calls may reject with `StagedMissing`.
 */
export interface PartialObject {
  /** A local file, or null where staging is elsewhere. `reset` changes which file the name is of. */
  readonly path: string | null;
  /** As of `resume`, and since then as this writer has made it. */
  state(): Checkpointed;
  /** Fills `into` from `offset` with what is written, short only at the end of it; gives the count. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Resolves when the bytes count as written; the next checkpoint makes them durable. Rejects with `StagingFull`. */
  writeAt(offset: number, chunks: readonly Uint8Array[]): Promise<void>;
  /** Makes durable what is written by now, then the note, as one. Writing may go on meanwhile. */
  checkpoint(note: JsonObject): Promise<void>;
  /** Forgets the bytes and the note. */
  reset(): Promise<void>;
  /** All of the first `size` bytes are written: makes them durable, as the whole object, with a last note. Then `close` it. */
  seal(size: number, note: JsonObject): Promise<void>;
  /** Writes nothing: what has come since the last checkpoint may be lost. Not an error if called again. */
  close(): Promise<void>;
}

/** Where uploads wait for ingest. */
export interface Staging {
  /** Rejects with `StagingFull` where no object can be made; an existing object of this key is an error. */
  create(key: StagedKey): Promise<StagedWriter>;
  /** A partial object, made where there is none. Rejects with `StagingFull`. */
  resume(key: StagedKey): Promise<PartialObject>;
  /** Of a partial object, the watermark is what checkpoints have said. Rejects with `StagedMissing`. */
  open(key: StagedKey): Promise<StagedReader>;
  /**
   * An empty directory on this machine for what is made of an object, gone when the object is, or at the next call; null
   * where staging is elsewhere.
   */
  workspace(key: StagedKey): Promise<string | null>;
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
