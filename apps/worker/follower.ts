import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { Bus } from '../../infra/bus/bus.ts';
import {
  Hopeless,
  type IngestJob,
  type JobQueue,
  type Urgency,
} from '../../infra/jobs/job-queue.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Budgets } from './budgets.ts';
import { imageOf, streamOf } from './context.ts';
import { judgeOf } from './garbage.ts';
import type { HeadStarts } from './head-start.ts';
import type { Ingest } from './ingest.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { Sweeper } from './sweeper.ts';

export interface FollowerPorts {
  readonly owner: string;
  readonly log: Pick<EventLog, 'readStream'>;
  readonly bus: Pick<Bus, 'head' | 'follow'>;
  readonly queue: Pick<JobQueue, 'issue'>;
  readonly budgets: Omit<Budgets, 'roomIn'>;
  readonly headStarts: HeadStarts;
  readonly ingest: Pick<Ingest, 'run' | 'isRunning' | 'leftNothing' | 'abandon' | 'abandonImage'>;
  readonly sweeper: Pick<Sweeper, 'soon'>;
  /** How many head starts there may be at once. */
  readonly mostHeadStarts: number;
  /** Whether this process turns facts into jobs; one does at a time, and two do no harm. */
  readonly isDispatcher: () => boolean;
  /** Whether this process is the one to follow an upload. */
  readonly isChosen: (uploadId: string) => boolean;
  /** Is given every event. */
  readonly heard?: (event: RecordedEvent) => void;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

/** Hashing so little takes no longer than beginning early. */
const smallBytes = 4 * 1024 * 1024;
const retryMs = 200;
/** Under load the log takes more than one batch in this time; work is the same for all of them. */
const gatherMs = 4;

type Of<Type extends ImageEvent['type']> = (ImageEvent & { readonly type: Type })['data'];

/**
 * What a worker does about each new fact in the log: follow uploads that begin, turn whole ones into jobs, stop what
 * has become pointless, and have bytes swept. Nothing depends on it: what it misses, the reconciler finds.
 */
export async function followLog(ports: FollowerPorts, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    try {
      const head = await ports.bus.head();
      for await (const events of ports.bus.follow(head, stopping)) {
        for (const event of events) {
          ports.heard?.(event);
          react(ports, event);
        }
        await delay(gatherMs, undefined, { signal: stopping }).catch(() => {});
      }
    } catch (error) {
      if (stopping.aborted) return;
      ports.logger.warn({ err: error }, 'cannot follow the log; trying again');
      await delay(retryMs, undefined, { signal: stopping }).catch(() => {});
    }
  }
}

function react(ports: FollowerPorts, recorded: RecordedEvent): void {
  const imageId = imageOf(recorded.streamId);
  if (imageId === undefined) return;
  const { headStarts, ingest, sweeper, isDispatcher, owner } = ports;
  const event = recorded as unknown as ImageEvent;
  const sweep = (): void => {
    if (isDispatcher()) sweeper.soon(imageId);
  };
  switch (event.type) {
    case 'UploadStarted':
      begin(ports, imageId, event.data);
      return;
    case 'UploadStaged':
      staged(ports, imageId, event.data);
      return;
    case 'ImportRequested':
      if (isDispatcher())
        issue(
          ports,
          { imageId, uploadId: event.data.uploadId, supersedes: 0 },
          // Somebody waits for a single image; of thousands nobody waits for each.
          recorded.metadata.bulkImport === undefined ? 'awaited' : 'background',
        );
      return;
    case 'IngestReleased': {
      const { uploadId, epoch } = event.data;
      if (isDispatcher()) issue(ports, { imageId, uploadId, supersedes: epoch });
      return;
    }
    case 'IngestClaimed':
      if (event.data.owner !== owner) {
        headStarts.drop(event.data.uploadId);
        ingest.abandon(event.data.uploadId, event.data.epoch);
      }
      if (event.data.supersedes > 0) sweep();
      return;
    case 'ImageActivated':
      ports.budgets.over(event.data.uploadId);
      // Whoever has the claim may have more to do for an image that is active.
      headStarts.drop(event.data.uploadId);
      if (!ingest.leftNothing(event.data.uploadId)) sweep();
      return;
    case 'LocationRemoved':
      sweep();
      return;
    case 'UploadAborted':
    case 'IngestFailed':
    case 'ImportCompleted':
      ports.budgets.over(event.data.uploadId);
      headStarts.drop(event.data.uploadId);
      ingest.abandon(event.data.uploadId);
      sweep();
      return;
    case 'ImageDeletionScheduled':
    case 'ImageDeleted':
      ports.budgets.overImage(imageId);
      headStarts.dropImage(imageId);
      ingest.abandonImage(imageId);
      sweep();
      return;
    default:
  }
}

/** Head starts take no job's slot, so that slow clients never hold whole uploads back; they are few for memory's sake. */
function begin(
  { headStarts, mostHeadStarts, isChosen, log, logger }: FollowerPorts,
  imageId: string,
  { uploadId, declaredSize }: Of<'UploadStarted'>,
): void {
  if (declaredSize !== null && declaredSize < smallBytes) return;
  if (headStarts.count >= mostHeadStarts || !isChosen(uploadId)) return;
  log
    .readStream(streamOf(imageId))
    .then(({ events }) => {
      const { state } = judgeOf(imageId, events);
      if (state.status !== 'saving' || state.upload.uploadId !== uploadId) return;
      const { diskFormat, containerFormat } = state;
      if (diskFormat === null || containerFormat === null) return;
      headStarts.begin({ imageId, uploadId }, { diskFormat, containerFormat });
    })
    .catch((error) => logger.info({ err: error, uploadId }, 'no head start on this upload'));
}

/**
 * Who has a head start claims at once, beside its slots: most of the work is done. The job is for everybody else, and for
 * what could not be claimed. Should this process die, the reconcilers find the work: they ask the log, not the queue.
 */
function staged(
  ports: FollowerPorts,
  imageId: string,
  { uploadId, size }: Of<'UploadStaged'>,
): void {
  const { headStarts, ingest, budgets, isDispatcher } = ports;
  const job = { imageId, uploadId, supersedes: 0 };
  headStarts.staged(uploadId, size);
  if (headStarts.has(uploadId)) runOrIssue(ports, job);
  if (!isDispatcher()) return;
  budgets.offer(job, () => {
    if (!ingest.isRunning(uploadId)) enqueue(ports, job, 'awaited');
  });
}

function runOrIssue(ports: FollowerPorts, job: IngestJob): void {
  ports.ingest.run(job).catch((error) => {
    // It has said itself what went wrong; a claim that broke is superseded by others.
    if (!(error instanceof Hopeless) && ports.isDispatcher()) enqueue(ports, job, 'awaited');
  });
}

function issue(ports: FollowerPorts, job: IngestJob, urgency: Urgency = 'awaited'): void {
  ports.budgets.offer(job, () => enqueue(ports, job, urgency));
}

function enqueue(
  { queue, metrics, logger }: FollowerPorts,
  job: IngestJob,
  urgency: Urgency,
): void {
  metrics.jobIssued('staged');
  queue
    .issue(job, urgency)
    .catch((error) =>
      logger.warn({ err: error, ...job }, 'no job was issued; the reconciler will do it'),
    );
}
