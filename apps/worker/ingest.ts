import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog } from '../../domain/event-log.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import { type Image, uploadOf } from '../../domain/image/state.ts';
import { type RefusalCode, Refused } from '../../domain/refused.ts';
import { Hopeless, type IngestJob, type Progress } from '../../infra/jobs/job-queue.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { HandleImage } from '../handle-image.ts';
import {
  type Claim,
  type Conclusion,
  type Conclusions,
  Failed,
  type Task,
  taskOf,
} from './claim.ts';
import { type ConcludePorts, concluder } from './conclude.ts';
import { originOf, rolesOf, streamOf, systemCommand } from './context.ts';
import { judgeOf } from './garbage.ts';
import type { HeadStarts } from './head-start.ts';
import type { IngestOutcome, WorkerMetrics } from './metrics.ts';

/**
 * The work on attempts to fill images, each from its claim to the event that ends it:
 *
 *     claim → digests and verdict → promotion under the claim's own key → CompleteIngest in one append
 *               └─ refused format, lost bytes, full store ─────────────→ FailIngest
 *     claim of a location → see `locationWork`, of a download → see `fetchWork`, of copies → see `copyWork`
 *
 * A crash anywhere leaves the claim to be superseded, and at most bytes under a key that is then swept. Who is refused
 * an append stops quietly and removes nothing.
 */
export interface Ingest {
  /**
   * Claims and does a job. Resolves when this process has nothing more to do for it. Rejects, after a line in the log,
   * when nothing could be claimed, which may be tried again, or with `Hopeless` when the work broke: then the claim is to
   * be superseded.
   */
  run(job: IngestJob, tell?: (progress: Progress) => void): Promise<void>;
  isRunning(uploadId: string): boolean;
  /** How many it has in hand. */
  count(): number;
  /** Whether this process filled an image by the one claim there was, and itself clears away what was staged. */
  leftNothing(uploadId: string): boolean;
  /**
   * The log ended the upload, or somebody else has the claim of `epoch`: nothing that we do for it up to there can count.
   * A claim of ours that is newer stands: we may hear late of those before.
   */
  abandon(uploadId: string, epoch?: number): void;
  /** The image is deleted. */
  abandonImage(imageId: string): void;
  /** Gives unfinished claims back, and resolves when all work is over. */
  close(): Promise<void>;
}

export interface IngestPorts extends ConcludePorts {
  /** This process, in claims. */
  readonly owner: string;
  readonly log: Pick<EventLog, 'readStream'>;
  readonly handle: HandleImage;
  readonly headStarts: Pick<HeadStarts, 'take' | 'drop'>;
  /** Asks the sweeper to look at an image. */
  readonly sweepSoon: (imageId: string) => void;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

interface Running {
  readonly imageId: string;
  /** What it claims. */
  readonly epoch: number;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Why the work on a claim was cut short. */
class Abandoned extends Error {}
class Stopping extends Error {}

const firstPauseMs = 100;
const longestPauseMs = 2_000;
/** A stop waits for this long at most: what is then unclear is taken over. */
const claimTimeoutMs = 8_000;
const releaseTimeoutMs = 5_000;
/** Of those beyond it, each is swept once more than need be. */
const mostCleared = 1_000;

export function ingest(ports: IngestPorts): Ingest {
  const { owner, log, handle, staging, headStarts, metrics, passStep } = ports;
  const conclude = concluder(ports);
  const running = new Map<string, Running>();
  /** The last ones that are cleared away here, or are about to be. */
  const cleared = new Set<string>();
  let closed = false;

  const clearing = ({ uploadId, epoch }: Claim, task: Task): void => {
    if (epoch > 1 || task.kind !== 'staged' || task.isImport) return;
    if (cleared.size >= mostCleared) cleared.clear();
    cleared.add(uploadId);
  };

  /** Tries until it works or a rule says no: while the log cannot be reached, the claim is still ours. */
  const append = async (
    { imageId, uploadId, epoch, origin }: Claim,
    command: ImageCommand,
    signal: AbortSignal,
  ): Promise<Image> => {
    const context = systemCommand(origin, uploadId, command.type, epoch, owner);
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs))
      try {
        signal.throwIfAborted();
        return (await handle(streamOf(imageId), command, context, signal)).state;
      } catch (error) {
        if (error instanceof Refused || signal.aborted) throw error;
        ports.logger.warn({ err: error, uploadId }, `no ${command.type} yet; trying again`);
        await delay(pauseMs, undefined, { signal });
      }
  };

  /** The state after the claim; undefined when it is somebody else's work, or nobody's any more. */
  const stateIfClaimed = async (
    claim: Claim,
    supersedes: number,
    logger: Logger,
  ): Promise<Image | undefined> => {
    const { imageId, uploadId } = claim;
    const command: ImageCommand = { type: 'ClaimIngest', uploadId, supersedes, owner };
    try {
      return await append(claim, command, AbortSignal.timeout(claimTimeoutMs));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // The answer to an earlier append may have been lost together with the log.
      const { state } = judgeOf(imageId, (await log.readStream(streamOf(imageId))).events);
      const upload = uploadOf(state);
      if (upload?.uploadId === uploadId && upload.epoch === claim.epoch)
        if (upload.claimedBy === owner) return state;
      logger.debug({ reason: error.message }, 'this upload is not to be claimed');
      return undefined;
    }
  };

  const claimed = async (
    job: IngestJob,
    logger: Logger,
  ): Promise<{ readonly claim: Claim; readonly task: Task } | undefined> => {
    const { imageId, uploadId, supersedes } = job;
    const { events } = await log.readStream(streamOf(imageId));
    const claim = {
      imageId,
      uploadId,
      epoch: supersedes + 1,
      origin: originOf(events, uploadId),
      roles: rolesOf(events, uploadId),
    };
    const state = await stateIfClaimed(claim, supersedes, logger);
    if (state === undefined) return undefined;
    const task = taskOf(state, uploadId);
    if (task === undefined) {
      logger.error({ ...claim.origin }, 'an upload was given up: too many workers died of it');
      metrics.ingestEnded('failed', 0);
      return undefined;
    }
    return { claim, task };
  };

  const release = async (claim: Claim, logger: Logger): Promise<void> => {
    const { uploadId, epoch } = claim;
    const signal = AbortSignal.timeout(releaseTimeoutMs);
    await append(claim, { type: 'ReleaseIngest', uploadId, epoch }, signal).catch((error) =>
      logger.warn({ err: error }, 'a claim could not be given back; it will be taken over'),
    );
  };

  /** Records each conclusion, and gives the last. */
  const concluded = async (
    claim: Claim,
    conclusions: Conclusions,
    tell: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Conclusion | undefined> => {
    let last: Conclusion | undefined;
    try {
      let next = await conclusions.next();
      while (!next.done) {
        const conclusion = next.value;
        const state = await append(claim, conclusion, signal).catch(asVerdict);
        if (state instanceof Failed) {
          next = await conclusions.throw(state);
          continue;
        }
        tell(conclusion.type);
        last = conclusion;
        next = await conclusions.next(state);
      }
      return last;
    } finally {
      await conclusions.return();
    }
  };

  const work = async (
    claim: Claim,
    task: Task,
    logger: Logger,
    tell: (progress: Progress) => void,
    { signal }: AbortController,
  ): Promise<IngestOutcome> => {
    try {
      const last = await concluded(claim, conclude(claim, task, logger, signal), tell, signal);
      if (last?.type === 'FailIngest') {
        const { reason, message } = last;
        logger.warn({ reason, detail: message }, 'an upload did not become an image');
        return 'failed';
      }
      passStep('worker.image-activated');
      return 'activated';
    } catch (error) {
      if (signal.reason instanceof Stopping) {
        await release(claim, logger);
        return 'released';
      }
      if (error instanceof Refused || signal.aborted) {
        logger.info('the claim was superseded, or the upload is over');
        ports.sweepSoon(claim.imageId);
        return 'superseded';
      }
      logger.error({ err: error }, 'the work on an upload failed; it will be taken over');
      return 'broken';
    }
  };

  const claimAndWork = async (
    job: IngestJob,
    logger: Logger,
    tell: (progress: Progress) => void,
    stop: AbortController,
  ): Promise<void> => {
    passStep('worker.job-taken');
    const taken = await claimed(job, logger);
    if (taken === undefined) return;
    const { claim, task } = taken;
    if (claim.epoch > 1) metrics.tookOver('ingest');
    passStep('worker.ingest-claimed');
    tell('claimed');
    const began = performance.now();
    const claimLogger = logger.child({ ...claim.origin, epoch: claim.epoch });
    clearing(claim, task);
    const outcome = await work(claim, task, claimLogger, tell, stop);
    if (outcome !== 'activated') cleared.delete(claim.uploadId);
    const seconds = (performance.now() - began) / 1000;
    metrics.ingestEnded(outcome, seconds);
    claimLogger.info({ outcome, seconds, task: task.kind, size: sizeOf(task) }, 'ingest ended');
    if (outcome === 'broken') throw new Hopeless('the work on an upload failed');
    if (task.kind === 'location' || task.kind === 'copy') return;
    if (outcome !== 'activated' && outcome !== 'failed') return;
    try {
      await staging.remove(claim);
    } catch (error) {
      cleared.delete(claim.uploadId);
      ports.sweepSoon(claim.imageId);
      throw error;
    }
    passStep('worker.staging-removed');
  };

  return {
    async run(job, tell = () => {}) {
      const { imageId, uploadId, supersedes } = job;
      // A job to take over from us says that our heartbeat was late: we live, and go on.
      if (closed || running.has(uploadId)) return;
      const stop = new AbortController();
      const logger = ports.logger.child({ imageId, uploadId });
      const doing = claimAndWork(job, logger, tell, stop)
        .catch((error) => {
          if (!(error instanceof Hopeless)) logger.error({ err: error }, 'an ingest job failed');
          throw error;
        })
        .finally(() => {
          headStarts.drop(uploadId);
          running.delete(uploadId);
        });
      const done = doing.catch(() => {});
      running.set(uploadId, { imageId, epoch: supersedes + 1, stop, done });
      await doing;
    },
    isRunning: (uploadId) => running.has(uploadId),
    count: () => running.size,
    leftNothing: (uploadId) => cleared.delete(uploadId),
    abandon(uploadId, epoch = Number.POSITIVE_INFINITY) {
      const one = running.get(uploadId);
      if (one !== undefined && one.epoch <= epoch) one.stop.abort(new Abandoned());
    },
    abandonImage(imageId) {
      for (const one of running.values())
        if (one.imageId === imageId) one.stop.abort(new Abandoned());
    },
    async close() {
      closed = true;
      for (const { stop } of running.values()) stop.abort(new Stopping());
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

/** What the image cannot be ends the attempt; that the claim or the attempt is over is nobody's fault. */
function asVerdict(error: unknown): Failed {
  const isVerdict = error instanceof Refused && verdicts.includes(error.code);
  if (isVerdict) return new Failed('source-refused', error.message, error);
  throw error;
}

const verdicts: readonly RefusalCode[] = ['limit-exceeded', 'validation-conflict'];

/** Bytes, as far as they were known when it began. */
function sizeOf(task: Task): number | null {
  switch (task.kind) {
    case 'staged':
      return task.size;
    case 'copy':
      return task.content.size;
    case 'location':
      return task.seenSize;
    case 'download':
      return null;
  }
}
