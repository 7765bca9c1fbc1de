import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImportMethod, IngestFailure } from '../../domain/image/events.ts';
import {
  type Content,
  type Download,
  type Image,
  isDownload,
  isThere,
  type Location,
  uploadOf,
} from '../../domain/image/state.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { Origin } from './context.ts';

/** This process's right to one attempt to fill an image, until somebody supersedes it. */
export interface Claim {
  readonly imageId: string;
  readonly uploadId: string;
  readonly epoch: number;
  readonly origin: Origin;
  /** Of whoever asked for it. */
  readonly roles: readonly string[];
}

/** Stores to write to. */
export interface Targets {
  /** Where the bytes are still to go. */
  readonly stores: readonly string[];
  /** Stores that have them already, by the log. */
  readonly written: readonly string[];
  /** Else one store is enough. */
  readonly allStoresMustSucceed: boolean;
}

/** Bytes that lie whole in staging. */
export interface StagedTask extends Targets {
  readonly kind: 'staged';
  /** Bytes. */
  readonly size: number;
  readonly declared: Declared;
  /** What the copies that are there were found to be; its digests are empty while there are none. */
  readonly content: Content;
  /** They were not uploaded to be the image as they are. */
  readonly isImport: boolean;
  /** The project that owns the image. */
  readonly projectId: string | null;
}

/** Bytes that are to be fetched into staging; with `CompleteFetch` it becomes a staged task. */
export interface DownloadTask {
  readonly kind: 'download';
  readonly method: Download;
  /** Told to be in staging by claims before. */
  readonly fetched: number;
  /** The project that owns the image. */
  readonly projectId: string | null;
  /** How many stores they are for. */
  readonly copies: number;
}

/** Bytes of an image that is active, for further stores. */
export interface CopyTask extends Targets {
  readonly kind: 'copy';
  readonly content: Content;
  /** The copies to read. */
  readonly sources: readonly Location[];
}

/** Bytes at somebody else's place, to be looked at and hashed there. */
export interface LocationTask {
  readonly kind: 'location';
  readonly method: ImportMethod & { readonly name: 'location' };
  /** What was seen there already: the image is active, and its digests are still to come. Null before. */
  readonly seenSize: number | null;
}

export type Task = StagedTask | DownloadTask | CopyTask | LocationTask;

/** What the log should hear of a claim's work. */
export type Conclusion = ImageCommand & {
  readonly type:
    | 'CompleteIngest'
    | 'RecordCopies'
    | 'RecordStoreFailure'
    | 'RecordAdvance'
    | 'CompleteFetch'
    | 'DescribeImport'
    | 'CompleteLocation'
    | 'RecordDigests'
    | 'FailIngest';
};

/** The work on a claim: each conclusion is in the log before the work goes on, with the image as it is then. */
export type Conclusions = AsyncGenerator<Conclusion, void, Image>;

/** What the image's state asks of whoever has the newest claim; undefined when the attempt is over. */
export function taskOf(state: Image, uploadId: string): Task | undefined {
  const upload = uploadOf(state);
  if (upload?.uploadId !== uploadId || !isThere(state)) return undefined;
  const { method, stagedSize, fetched, stores, allStoresMustSucceed, content } = upload;
  if (method?.name === 'location')
    return { kind: 'location', method, seenSize: 'content' in state ? state.content.size : null };
  const written = content.locations.map(({ store }) => store);
  const targets = {
    stores: stores.filter((store) => !written.includes(store)),
    written,
    allStoresMustSucceed,
  };
  if (method?.name === 'copy-image')
    return 'content' in state ? copyTask(state.content, targets) : undefined;
  if (stagedSize === null && isDownload(method))
    return { kind: 'download', method, fetched, projectId: state.owner, copies: stores.length };
  if (stagedSize === null) return undefined;
  const { diskFormat, containerFormat } = state;
  const declared = { diskFormat: diskFormat ?? '', containerFormat: containerFormat ?? '' };
  const isImport = method !== null;
  const { owner: projectId } = state;
  return { kind: 'staged', size: stagedSize, declared, content, isImport, projectId, ...targets };
}

function copyTask(content: Content, targets: Targets): CopyTask {
  const sources = content.locations.filter(({ store }) => !targets.written.includes(store));
  return { kind: 'copy', content, sources, ...targets };
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
