import { setTimeout as delay } from 'node:timers/promises';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { StagedMissing, type Staging } from '../../domain/staging.ts';
import { DigestFailed, type DigestThreads } from '../../infra/digests/digest-threads.ts';
import { errorCode } from '../../infra/files/files.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Claim, type Conclusions, Failed, type StagedTask } from './claim.ts';
import type { HeadStarts } from './head-start.ts';
import { type Meter, metered } from './meter.ts';
import { orAborted } from './or-aborted.ts';
import { type Preparation, type Prepared, prepare } from './preparation.ts';
import { putInto, spread } from './promote.ts';

export interface StagedPorts {
  readonly staging: Staging;
  readonly stores: Stores;
  readonly threads: DigestThreads;
  readonly headStarts: Pick<HeadStarts, 'take'>;
  readonly passStep: PassStep;
}

const attempts = 3;
const pauseMs = 100;

type Staged = Claim & StagedTask;

/** The work on bytes that lie whole in staging: digests and verdict, then into each store. */
export function stagedWork(ports: StagedPorts) {
  const { staging, stores, threads, headStarts, passStep } = ports;

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

  return async function* work(
    claim: Claim,
    task: StagedTask,
    meter: Meter,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { size } = task;
    const found = await prepared({ ...claim, ...task }, logger, signal);
    if ('refused' in found) throw new Failed('format-refused', found.refused);
    if (found.warning !== undefined) logger.warn({ detail: found.warning }, 'an odd image');
    const { digests, detected, virtualSize } = found;
    for (const [name, value] of Object.entries(task.digests))
      if (digests[name] !== undefined && digests[name] !== value)
        throw new Failed('staged-bytes-lost', 'the staged bytes are not those of the first copy');
    passStep('worker.digests-done');
    if (task.stores.length > 1) meter.phase('storing', size * task.stores.length);
    const result = { digests, algorithm: hashAlgorithm, detected, virtualSize };
    yield* spread(
      { stores, passStep },
      claim,
      task,
      result,
      async (writer, key, store) => {
        const open = async () =>
          metered(await staging.open(claim), (bytes) => meter.stored(store, bytes));
        await putInto(writer, key, size, open, logger, signal);
        meter.stored(store, size);
      },
      logger,
    );
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
