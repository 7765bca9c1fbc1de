import { setTimeout as delay } from 'node:timers/promises';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { IngestFailure } from '../../domain/image/events.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { StagedMissing, type Staging } from '../../domain/staging.ts';
import { type Store, StoreFull, StoreUnavailable, storeKey } from '../../domain/store.ts';
import { DigestFailed, type DigestThreads } from '../../infra/digests/digest-threads.ts';
import { errorCode } from '../../infra/files/files.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Origin } from './context.ts';
import type { HeadStarts } from './head-start.ts';
import { orAborted } from './or-aborted.ts';
import { hashAlgorithm, type Preparation, type Prepared, prepare } from './preparation.ts';

/** This process's right to one staged upload, until somebody supersedes it. */
export interface Claim {
  readonly imageId: string;
  readonly uploadId: string;
  readonly epoch: number;
  /** Bytes. */
  readonly size: number;
  readonly declared: Declared;
  /** Where the bytes are to go. */
  readonly store: string;
  readonly origin: Origin;
}

/** What the log should hear of a claim's work. */
export type Conclusion = ImageCommand & { readonly type: 'CompleteIngest' | 'FailIngest' };

export interface ConcludePorts {
  readonly staging: Staging;
  readonly store: Store;
  readonly threads: DigestThreads;
  readonly headStarts: Pick<HeadStarts, 'take'>;
  readonly passStep: PassStep;
}

class Failed extends Error {
  readonly reason: IngestFailure;

  constructor(reason: IngestFailure, message: string) {
    super(message);
    this.name = 'Failed';
    this.reason = reason;
  }
}

const attempts = 3;
const pauseMs = 100;

/** Does the work on a claim, all but saying so. Rejects with the signal's reason, or with what nobody foresaw. */
export function concluder({ staging, store, threads, headStarts, passStep }: ConcludePorts) {
  const begin = async (claim: Claim): Promise<Preparation> => {
    const reader = await staging.open(claim);
    const available = await reader.watermark();
    if (available >= claim.size) return prepare(reader, claim.declared, threads);
    await reader.close();
    throw new Failed(
      'staged-bytes-lost',
      `only ${available} of ${claim.size} staged bytes are left: upload the image again`,
    );
  };

  const headStart = async (claim: Claim): Promise<Preparation | undefined> => {
    const preparation = headStarts.take(claim.uploadId);
    if (preparation === undefined || sameFormats(preparation.declared, claim.declared))
      return preparation;
    await preparation.cancel();
    return undefined;
  };

  const prepared = async (claim: Claim, logger: Logger, signal: AbortSignal): Promise<Prepared> => {
    for (let attempt = 1; ; attempt++) {
      let preparation: Preparation | undefined;
      try {
        preparation = (attempt === 1 ? await headStart(claim) : undefined) ?? (await begin(claim));
        return await orAborted(preparation.finish(claim.size), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Failed || error instanceof StagedMissing) throw error;
        if (attempt === attempts) {
          logger.error({ err: error }, 'staged bytes could not be prepared');
          throw preparationFailed(error);
        }
        logger.warn({ err: error, attempt }, 'staged bytes could not be prepared; trying again');
        await delay(pauseMs * attempt, undefined, { signal });
      } finally {
        await preparation?.cancel();
      }
    }
  };

  const promote = async (claim: Claim, logger: Logger, signal: AbortSignal): Promise<string> => {
    const key = storeKey(claim.imageId, claim.uploadId, claim.epoch);
    for (let attempt = 1; ; attempt++) {
      const reader = await staging.open(claim);
      try {
        await store.promote(reader, key, claim.size, signal);
        return key;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StoreFull) throw new Failed('store-full', error.message);
        if (!(error instanceof StoreUnavailable)) throw error;
        if (attempt === attempts) {
          logger.error({ err: error }, 'bytes could not be stored');
          throw new Failed('store-unavailable', 'the image could not be stored: upload it again');
        }
        logger.warn({ err: error, attempt }, 'bytes could not be stored; trying again');
        await delay(pauseMs * attempt, undefined, { signal });
      } finally {
        await reader.close();
      }
    }
  };

  const completed = async (
    claim: Claim,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<Conclusion> => {
    const found = await prepared(claim, logger, signal);
    if ('refused' in found) throw new Failed('format-refused', found.refused);
    if (found.warning !== undefined) logger.warn({ detail: found.warning }, 'an odd image');
    passStep('worker.digests-done');
    const key = await promote(claim, logger, signal);
    passStep('worker.data-promoted');
    const { digests, detected, virtualSize } = found;
    const stored = [{ store: claim.store, key }];
    const result = { stored, digests, algorithm: hashAlgorithm, detected, virtualSize };
    return { type: 'CompleteIngest', uploadId: claim.uploadId, epoch: claim.epoch, result };
  };

  return async (claim: Claim, logger: Logger, signal: AbortSignal): Promise<Conclusion> => {
    try {
      return await completed(claim, logger, signal);
    } catch (error) {
      const { uploadId, epoch } = claim;
      if (error instanceof StagedMissing) {
        const message = 'the staged bytes are gone: upload the image again';
        return { type: 'FailIngest', uploadId, epoch, reason: 'staged-bytes-lost', message };
      }
      if (!(error instanceof Failed)) throw error;
      const { reason, message } = error;
      return { type: 'FailIngest', uploadId, epoch, reason, message };
    }
  };
}

const sameFormats = (one: Declared, other: Declared): boolean =>
  one.diskFormat === other.diskFormat && one.containerFormat === other.containerFormat;

/** The machine ran out of something: that says nothing of the bytes, and another worker, or later, may do. */
const exhausted = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'];

/** What went wrong again and again, in words for the image's owner: no paths, those are in our own log. */
function preparationFailed(error: unknown): unknown {
  if (exhausted.includes(codeOf(error) ?? '')) return error;
  return error instanceof DigestFailed && error.code !== null
    ? new Failed(
        'staged-bytes-lost',
        `the staged bytes cannot be read (${error.code}): upload the image again`,
      )
    : new Failed('workers-died', `the worker failed at it ${attempts} times`);
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof DigestFailed ? (error.code ?? undefined) : errorCode(error);
