import { setTimeout as delay } from 'node:timers/promises';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { StagedMissing, type Staging } from '../../domain/staging.ts';
import { DigestFailed, type DigestThreads } from '../../infra/digests/digest-threads.ts';
import { errorCode } from '../../infra/files/files.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import {
  type Claim,
  type Conclusion,
  type Conclusions,
  Failed,
  type StagedTask,
  type Task,
} from './claim.ts';
import type { HeadStarts } from './head-start.ts';
import { type LocationRules, locationWork } from './locate.ts';
import { orAborted } from './or-aborted.ts';
import { type Preparation, type Prepared, prepare } from './preparation.ts';
import { promote } from './promote.ts';

export interface ConcludePorts {
  readonly staging: Staging;
  readonly stores: Stores;
  readonly threads: DigestThreads;
  readonly headStarts: Pick<HeadStarts, 'take'>;
  readonly locations: LocationRules;
  readonly passStep: PassStep;
}

const attempts = 3;
const pauseMs = 100;

type Staged = Claim & StagedTask;

/** Does the work on a claim, all but saying so. Rejects with the signal's reason, or with what nobody foresaw. */
export function concluder(ports: ConcludePorts) {
  const { staging, stores, threads, headStarts, locations, passStep } = ports;
  const atLocation = locationWork({ stores, rules: locations, passStep });

  const begin = async (claim: Staged): Promise<Preparation> => {
    const reader = await staging.open(claim);
    const available = await reader.watermark();
    if (available >= claim.size) return prepare(reader, claim.declared, threads);
    await reader.close();
    throw new Failed(
      'staged-bytes-lost',
      `only ${available} of ${claim.size} staged bytes are left: upload the image again`,
    );
  };

  const headStart = async (claim: Staged): Promise<Preparation | undefined> => {
    const preparation = headStarts.take(claim.uploadId);
    if (preparation === undefined || sameFormats(preparation.declared, claim.declared))
      return preparation;
    await preparation.cancel();
    return undefined;
  };

  const prepared = async (
    claim: Staged,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<Prepared> => {
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

  const completed = async (
    claim: Staged,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<Conclusion> => {
    const found = await prepared(claim, logger, signal);
    if ('refused' in found) throw new Failed('format-refused', found.refused);
    if (found.warning !== undefined) logger.warn({ detail: found.warning }, 'an odd image');
    passStep('worker.digests-done');
    const stored = await promote({ staging, stores }, claim, claim, logger, signal);
    passStep('worker.data-promoted');
    const { digests, detected, virtualSize } = found;
    const result = { stored, digests, algorithm: hashAlgorithm, detected, virtualSize };
    return { type: 'CompleteIngest', uploadId: claim.uploadId, epoch: claim.epoch, result };
  };

  return async function* conclude(
    claim: Claim,
    task: Task,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { uploadId, epoch } = claim;
    try {
      if (task.kind === 'location') yield* atLocation(claim, task, logger, signal);
      else yield await completed({ ...claim, ...task }, logger, signal);
    } catch (error) {
      if (error instanceof StagedMissing) {
        const message = 'the staged bytes are gone: upload the image again';
        yield { type: 'FailIngest', uploadId, epoch, reason: 'staged-bytes-lost', message };
        return;
      }
      if (!(error instanceof Failed)) throw error;
      const { reason, message } = error;
      yield { type: 'FailIngest', uploadId, epoch, reason, message };
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
