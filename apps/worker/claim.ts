import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImportMethod, IngestFailure } from '../../domain/image/events.ts';
import { type Image, isThere, uploadOf } from '../../domain/image/state.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { Origin } from './context.ts';

/** This process's right to one attempt to fill an image, until somebody supersedes it. */
export interface Claim {
  readonly imageId: string;
  readonly uploadId: string;
  readonly epoch: number;
  readonly origin: Origin;
}

/** Bytes that lie whole in staging. */
export interface StagedTask {
  readonly kind: 'staged';
  /** Bytes. */
  readonly size: number;
  readonly declared: Declared;
  /** Where the bytes are to go. */
  readonly stores: readonly string[];
  /** Else one store is enough. */
  readonly allStoresMustSucceed: boolean;
}

/** Bytes at somebody else's place, to be looked at and hashed there. */
export interface LocationTask {
  readonly kind: 'location';
  readonly method: ImportMethod & { readonly name: 'location' };
  /** What was seen there already: the image is active, and its digests are still to come. Null before. */
  readonly seenSize: number | null;
}

export type Task = StagedTask | LocationTask;

/** What the log should hear of a claim's work. */
export type Conclusion = ImageCommand & {
  readonly type: 'CompleteIngest' | 'CompleteLocation' | 'RecordDigests' | 'FailIngest';
};

/** The work on a claim: each conclusion is in the log before the work goes on. */
export type Conclusions = AsyncGenerator<Conclusion, void, void>;

/** What the image's state asks of whoever has the newest claim; undefined when the attempt is over. */
export function taskOf(state: Image, uploadId: string): Task | undefined {
  const upload = uploadOf(state);
  if (upload?.uploadId !== uploadId || !isThere(state)) return undefined;
  const { method, stagedSize, stores, allStoresMustSucceed } = upload;
  if (method?.name === 'location')
    return { kind: 'location', method, seenSize: 'content' in state ? state.content.size : null };
  if (stagedSize === null) return undefined;
  const { diskFormat, containerFormat } = state;
  const declared = { diskFormat: diskFormat ?? '', containerFormat: containerFormat ?? '' };
  return { kind: 'staged', size: stagedSize, declared, stores, allStoresMustSucceed };
}

/** The work came to an end that is the bytes', or their place's, own fault. */
export class Failed extends Error {
  readonly reason: IngestFailure;

  constructor(reason: IngestFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'Failed';
    this.reason = reason;
  }
}
