import { setTimeout as delay } from 'node:timers/promises';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { Declared } from '../../domain/inspection/inspect.ts';
import { StagedMissing, type Staging } from '../../domain/staging.ts';
import { DigestFailed, type DigestThreads } from '../../infra/digests/digest-threads.ts';
import { errorCode } from '../../infra/files/files.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Claim, type Conclusions, type CopyTask, Failed, type StagedTask } from './claim.ts';
import { copyWork } from './copy.ts';
import type { GrowthRooms } from './fetch-room.ts';
import type { HeadStarts } from './head-start.ts';
import { type Candidate, type MakingPorts, making } from './making.ts';
import { type Meter, metered } from './meter.ts';
import { orAborted } from './or-aborted.ts';
import { type Preparation, type Prepared, prepare } from './preparation.ts';
import { putInto, spread } from './promote.ts';

export interface StagedPorts extends MakingPorts {
  readonly staging: Staging;
  readonly stores: Stores;
  readonly threads: DigestThreads;
  readonly headStarts: Pick<HeadStarts, 'take'>;
  readonly growthFor: GrowthRooms;
}

const attempts = 3;
const pauseMs = 100;

/**
 * The work on bytes that lie whole in staging: what plugins make of them, digests and verdict, then into each store. Once
 * a store has what plugins made, the others get theirs from there: it might not be made a second time as it was.
 */
export function stagedWork(ports: StagedPorts) {
  const { stores, threads, headStarts, growthFor, plugins, passStep } = ports;
  const make = making(ports);
  const copying = copyWork({ stores, passStep });

  const begin = async ({ open, size, declared }: Candidate): Promise<Preparation> => {
    const reader = await open();
    const available = await reader.watermark();
    if (available >= size) return prepare(reader, declared, threads);
    await reader.close();
    throw new Failed(
      'staged-bytes-lost',
      `only ${available} of ${size} staged bytes are left: upload the image again`,
    );
  };

  const headStart = async (
    { uploadId }: Claim,
    { declared, isStaged }: Candidate,
  ): Promise<Preparation | undefined> => {
    const preparation = headStarts.take(uploadId);
    if (preparation === undefined) return undefined;
    if (isStaged && sameFormats(preparation.declared, declared)) return preparation;
    await preparation.cancel();
    return undefined;
  };

  const prepared = async (
    claim: Claim,
    candidate: Candidate,
    logger: Logger,
    signal: AbortSignal,
  ): Promise<Prepared> => {
    for (let attempt = 1; ; attempt++) {
      let preparation: Preparation | undefined;
      try {
        preparation = attempt === 1 ? await headStart(claim, candidate) : undefined;
        preparation ??= await begin(candidate);
        return await orAborted(preparation.finish(candidate.size), signal);
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
    if (task.isImport && plugins.length > 0 && task.written.length > 0) {
      const { content } = task;
      const copy: CopyTask = { ...task, kind: 'copy', sources: content.locations };
      yield* copying(claim, copy, meter, logger, signal);
      return;
    }
    const candidate = await make(claim, task, signal);
    const growth = await growthFor(claim, task, candidate.size, signal);
    try {
      yield* store(claim, task, candidate, meter, logger, signal);
    } finally {
      growth.close();
    }
  };

  async function* store(
    claim: Claim,
    task: StagedTask,
    candidate: Candidate,
    meter: Meter,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { size, made, open: openCandidate } = candidate;
    const found = await prepared(claim, candidate, logger, signal);
    if ('refused' in found) throw new Failed('format-refused', found.refused);
    if (found.warning !== undefined) logger.warn({ detail: found.warning }, 'an odd image');
    const { digests, detected, virtualSize } = found;
    for (const [name, value] of Object.entries(task.content.digests))
      if (digests[name] !== undefined && digests[name] !== value)
        throw new Failed('staged-bytes-lost', 'the staged bytes are not those of the first copy');
    passStep('worker.digests-done');
    if (task.stores.length > 1) meter.phase('storing', size * task.stores.length);
    const seen = { digests, algorithm: hashAlgorithm, detected, virtualSize };
    const result = made === null ? seen : { ...seen, made };
    yield* spread(
      { stores, passStep },
      claim,
      task,
      result,
      async (writer, key, store) => {
        const open = async () =>
          metered(await openCandidate(), (bytes) => meter.stored(store, bytes));
        await putInto(writer, key, size, open, logger, signal);
        meter.stored(store, size);
      },
      logger,
    );
  }
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
