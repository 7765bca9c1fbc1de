import type { EventLog } from '../../domain/event-log.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { Refused } from '../../domain/refused.ts';
import type { IngestJob, JobQueue } from '../../infra/jobs/job-queue.ts';
import type { DeathWatch } from '../../infra/leases/death-watch.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Images } from '../../projections/images/images.ts';
import type { Work } from '../../projections/images/record.ts';
import type { HandleImage } from '../handle-image.ts';
import type { Budgets, Room } from './budgets.ts';
import { originOf, streamOf, systemCommand } from './context.ts';
import type { Ingest } from './ingest.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { Sweeper } from './sweeper.ts';

export interface ReconcilerPorts {
  readonly owner: string;
  readonly log: Pick<EventLog, 'readStream'>;
  readonly handle: HandleImage;
  readonly images: Pick<Images, 'openWork'>;
  readonly watch: Pick<DeathWatch, 'isDead'>;
  readonly queue: Pick<JobQueue, 'issue' | 'waiting'>;
  readonly ingest: Pick<Ingest, 'isRunning' | 'run' | 'count'>;
  /** How much this process does without a queue at once. */
  readonly slots: number;
  readonly budgets: Pick<Budgets, 'roomIn'>;
  readonly sweeper: Pick<Sweeper, 'sweepImage'>;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  /** A job may take this long to be claimed, and the read model to hear of it, before anybody worries. */
  readonly patienceMs: number;
  /** How long staged bytes wait for their import call. */
  readonly stagingTimeoutMs: number;
  /** What time it is, as epoch milliseconds: by it staged bytes expire, and deleted images are scrubbed. */
  readonly wallClock: () => number;
  readonly passStep: PassStep;
}

/** What this process remembers of a piece of work in one state; forgotten when the state changes. */
interface Seen {
  readonly firstAt: number;
  tries: number;
  notBefore: number;
}

/** The queue, in one comparison. */
interface Queue {
  failed: boolean;
  waiting(): Promise<ReadonlySet<string> | null>;
  issue(job: IngestJob): Promise<void>;
}

const abortMessage = {
  'gateway-died': 'the gateway that received the upload died: upload the image again',
  'staging-expired': 'nobody asked in time for the import of what was staged: stage it again',
} as const;

const firstRetryMs = 2_000;
const longestRetryMs = 60_000;

/**
 * Compares what the log says is unfinished with what lives, and sets going what nobody does. Every worker does this, with
 * no leader. The read model that it looks at may lag: whatever it asks is decided on the image's fresh stream.
 */
export function reconciler(ports: ReconcilerPorts) {
  const { owner, log, handle, images, watch, queue, ingest, sweeper, metrics, logger } = ports;
  const { patienceMs, stagingTimeoutMs, wallClock, passStep, slots, budgets } = ports;
  let seen = new Map<string, Seen>();

  const abortUpload = async (
    { imageId, owner }: Work,
    uploadId: string,
    reason: 'gateway-died' | 'staging-expired',
    signal: AbortSignal,
  ): Promise<void> => {
    const { events } = await log.readStream(streamOf(imageId));
    const origin = originOf(events, uploadId);
    const message = abortMessage[reason];
    const command: ImageCommand = { type: 'AbortUpload', uploadId, reason, message };
    const context = systemCommand(origin, uploadId, 'AbortUpload', reason);
    await handle(streamOf(imageId), command, context, signal);
    logger.warn({ ...origin, imageId, uploadId, owner }, message);
  };

  const scrub = async ({ imageId }: Work, signal: AbortSignal): Promise<void> => {
    passStep('scrubber.image-due');
    const origin = originOf((await log.readStream(streamOf(imageId))).events, null);
    const command: ImageCommand = {
      type: 'ScrubImage',
      at: new Date(wallClock()).toISOString(),
    };
    const context = systemCommand(origin, imageId, 'ScrubImage');
    await handle(streamOf(imageId), command, context, signal);
    passStep('scrubber.image-deleted');
    logger.info({ ...origin, imageId }, 'a deleted image was kept as long as it should be');
  };

  /** A claim of this very process that it does not work on is as good as dead. */
  const isOrphan = (work: Work, uploadId: string, waitedMs: number): boolean => {
    if (work.owner === null) return waitedMs >= patienceMs;
    if (work.owner === owner) return waitedMs >= patienceMs && !ingest.isRunning(uploadId);
    return watch.isDead(work.owner);
  };

  const queueNow = (): Queue => {
    let asked: Promise<ReadonlySet<string> | null> | undefined;
    const watched = <T>(call: Promise<T>): Promise<T> =>
      call.catch((error) => {
        now.failed = true;
        throw error;
      });
    const now: Queue = {
      failed: false,
      waiting() {
        asked ??= watched(queue.waiting());
        return asked;
      },
      issue: (job) => watched(queue.issue(job)),
    };
    return now;
  };

  /** Without a queue, what there is a slot for is done here. That others think so, too, is what claims are for. */
  const runHere = (job: IngestJob): boolean => {
    if (ingest.count() >= slots) return false;
    ingest.run(job).catch(() => {});
    return true;
  };

  const issueAgain = async (job: IngestJob, { owner: from }: Work, queueing: Queue) => {
    logger.info({ ...job, owner: from }, 'this upload needs a worker');
    try {
      await queueing.issue(job);
      metrics.jobIssued('reconciled');
      return true;
    } catch (error) {
      logger.warn({ err: error, ...job }, 'no job can be issued');
      return runHere(job);
    }
  };

  /** Sets an upload going that nobody has in hand. */
  const setGoing = async (
    work: Work,
    uploadId: string,
    queueing: Queue,
    room: () => Promise<Room>,
  ): Promise<boolean> => {
    const job = { imageId: work.imageId, uploadId, supersedes: work.epoch };
    // After one failure nothing more is asked of the queue: each question may take long to fail.
    if (queueing.failed) return runHere(job);
    if (work.owner === null) {
      const waiting = await queueing.waiting().catch((error) => {
        logger.warn({ err: error }, 'the job queue cannot be asked');
        return undefined;
      });
      if (waiting === undefined) return runHere(job);
      if (waiting?.has(uploadId) ?? true) return false;
      if (!(await (await room()).take(work))) return false;
    }
    return issueAgain(job, work, queueing);
  };

  /** Does what is due about one piece of work; false when nothing is. */
  const settle = async (
    work: Work,
    waitedMs: number,
    queueing: Queue,
    room: () => Promise<Room>,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const { kind, uploadId } = work;
    if (kind === 'remove') {
      if (waitedMs < patienceMs) return false;
      await sweeper.sweepImage(work.imageId);
      return true;
    }
    if (kind === 'scrub') {
      if (work.due === null || work.due.getTime() > wallClock()) return false;
      await scrub(work, signal);
      return true;
    }
    if (uploadId === null) return false;
    if (kind === 'receive') {
      if (work.owner === null || !watch.isDead(work.owner)) return false;
      await abortUpload(work, uploadId, 'gateway-died', signal);
      return true;
    }
    if (kind === 'stage') {
      if (wallClock() - work.since.getTime() < stagingTimeoutMs) return false;
      await abortUpload(work, uploadId, 'staging-expired', signal);
      return true;
    }
    if (!isOrphan(work, uploadId, waitedMs)) return false;
    return setGoing(work, uploadId, queueing, room);
  };

  /** One comparison, at `now` by a clock in milliseconds that never goes back. */
  return async function reconcile(now: number, signal: AbortSignal): Promise<void> {
    const open = await images.openWork();
    const before = seen;
    seen = new Map();
    const queueing = queueNow();
    let asked: Promise<Room> | undefined;
    const room = (): Promise<Room> => {
      asked ??= queueing.waiting().then((waiting) => budgets.roomIn(open, waiting ?? new Set()));
      return asked;
    };
    for (const work of open) {
      if (signal.aborted) return;
      const key = `${work.imageId}/${work.uploadId}/${work.kind}/${work.epoch}/${work.owner}`;
      const one = before.get(key) ?? { firstAt: now, tries: 0, notBefore: now };
      seen.set(key, one);
      if (now < one.notBefore) continue;
      try {
        if (!(await settle(work, now - one.firstAt, queueing, room, signal))) continue;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Refused))
          logger.warn({ err: error, work: key }, 'unfinished work could not be set going');
      }
      one.notBefore = now + Math.min(firstRetryMs * 2 ** one.tries, longestRetryMs);
      one.tries += 1;
    }
  };
}
