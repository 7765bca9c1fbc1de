import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { Staging } from '../../domain/staging.ts';
import type { Bus } from '../../infra/bus/bus.ts';
import type { DigestThreads } from '../../infra/digests/digest-threads.ts';
import type { ImportTokens } from '../../infra/import-tokens/tokens.ts';
import type { JobQueue } from '../../infra/jobs/job-queue.ts';
import type { DeathWatch } from '../../infra/leases/death-watch.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { ProgressBoard } from '../../infra/progress/progress.ts';
import { type HoldLocks, memoryHoldLocks } from '../../infra/retention/hold-locks.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Images } from '../../projections/images/images.ts';
import { handleImage } from '../handle-image.ts';
import { heedingHolds } from '../heeding-holds.ts';
import { budgets } from './budgets.ts';
import type { ConcludePorts } from './conclude.ts';
import { followLog } from './follower.ts';
import { headStarts } from './head-start.ts';
import { ingest } from './ingest.ts';
import type { LocationRules } from './locate.ts';
import type { WorkerMetrics } from './metrics.ts';
import { reconciler } from './reconciler.ts';
import { sweeper } from './sweeper.ts';

export interface WorkerPorts {
  readonly owner: string;
  readonly log: EventLog;
  /** Tells of new facts; default: the log does. */
  readonly bus?: Pick<Bus, 'head' | 'follow'>;
  readonly images: Pick<Images, 'openWork' | 'namedKeys'>;
  readonly queue: JobQueue;
  readonly staging: Staging;
  readonly stores: Stores;
  readonly locations: LocationRules;
  readonly downloads: ConcludePorts['downloads'];
  readonly progress: ProgressBoard;
  readonly tokens: ImportTokens;
  readonly plugins: ConcludePorts['plugins'];
  readonly growthFor: ConcludePorts['growthFor'];
  readonly threads: DigestThreads;
  /** Is given every event of the log. */
  readonly heard?: (event: RecordedEvent) => void;
  /** Absent where nobody else places holds. */
  readonly holdLocks?: HoldLocks;
  readonly watch: DeathWatch;
  /** Held by the one worker that turns facts into jobs and scans for garbage. */
  readonly dispatcherLease: Lease;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  readonly passStep: PassStep;
}

export interface WorkerTimes {
  /** Uploads that are finished at once. */
  readonly slots: number;
  /** Uploads of one project that are in the queue or in work at once; 0, the default, is no limit. */
  readonly projectBudget?: number;
  readonly sweepIntervalMs: number;
  readonly reconcileIntervalMs?: number;
  readonly leaseIntervalMs?: number;
  /** See the reconciler. */
  readonly patienceMs?: number;
  readonly stagingTimeoutMs: number;
  readonly wallClock?: () => number;
}

/** Each is a file handle and two hashes, and spares the queue a job. */
const fewestHeadStarts = 16;

/** A worker that runs until `stopping` aborts; then it gives back what it has claimed, and resolves. */
export async function runWorker(
  ports: WorkerPorts,
  times: WorkerTimes,
  stopping: AbortSignal,
): Promise<void> {
  const { owner, log, queue, staging, threads, watch, dispatcherLease, logger } = ports;
  const { holdLocks: locks = memoryHoldLocks() } = ports;
  const { reconcileIntervalMs = 1_000, leaseIntervalMs = 500, sweepIntervalMs } = times;
  const { patienceMs = 2_000, projectBudget = 0 } = times;
  const handle = heedingHolds(handleImage(log), { log, locks });
  const allowed = budgets(projectBudget, log);
  const sweeping = sweeper({ ...ports, handle });
  const following = headStarts({ staging, threads, log: logger });
  const working = ingest({ ...ports, handle, headStarts: following, sweepSoon: sweeping.soon });
  const reconcile = reconciler({
    ...ports,
    handle,
    ingest: working,
    sweeper: sweeping,
    slots: times.slots,
    budgets: allowed,
    patienceMs,
    stagingTimeoutMs: times.stagingTimeoutMs,
    wallClock: times.wallClock ?? Date.now,
  });
  let isDispatcher = false;

  const every = (intervalMs: number, what: string, step: () => Promise<void>): Promise<void> =>
    repeat(intervalMs, step, stopping, (error) => logger.warn({ err: error }, `${what} failed`));

  const running = [
    every(leaseIntervalMs, 'holding the lease of the dispatcher', async () => {
      isDispatcher = await dispatcherLease.tryHold().catch((error) => {
        isDispatcher = false;
        throw error;
      });
    }),
    followLog(
      {
        ...ports,
        bus: ports.bus ?? log,
        budgets: allowed,
        headStarts: following,
        ingest: working,
        sweeper: sweeping,
        // They ask no budget, so where projects have one they stay as few as the slots.
        mostHeadStarts: projectBudget > 0 ? times.slots : Math.max(times.slots, fewestHeadStarts),
        isDispatcher: () => isDispatcher,
        isChosen: (uploadId) => chosen([...watch.living('worker'), owner], uploadId) === owner,
      },
      stopping,
    ),
    every(reconcileIntervalMs, 'reconciling', () => reconcile(performance.now(), stopping)),
    scanning(() => isDispatcher, sweeping.scan, sweepIntervalMs, stopping, logger),
  ];
  const jobs = queue.work(times.slots, working.run);

  // At once, whatever a scan or a question to the log still takes: others wait for what we have claimed.
  const closing = aborted(stopping).then(() =>
    Promise.all([working.close(), jobs.close(), sweeping.close()]),
  );
  await Promise.all([...running, closing]);
  await following.close();
  await dispatcherLease.release().catch(() => {});
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Scanning takes no more than this share of a worker's time. */
const shareOfTime = 1 / 10;

/** A scan when this process becomes the dispatcher, and one each `intervalMs` at most while it is. */
async function scanning(
  isDispatcher: () => boolean,
  scan: () => Promise<void>,
  intervalMs: number,
  stopping: AbortSignal,
  logger: Logger,
): Promise<void> {
  let dueAt = Number.NEGATIVE_INFINITY;
  const step = async (): Promise<void> => {
    if (!isDispatcher()) {
      dueAt = Number.NEGATIVE_INFINITY;
      return;
    }
    const began = performance.now();
    if (began < dueAt) return;
    dueAt = began + intervalMs;
    await scan();
    dueAt = Math.max(dueAt, began + (performance.now() - began) / shareOfTime);
  };
  await repeat(Math.min(intervalMs, 500), step, stopping, (error) =>
    logger.warn({ err: error }, 'scanning for garbage failed'),
  );
}

async function repeat(
  intervalMs: number,
  step: () => Promise<void>,
  stopping: AbortSignal,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!stopping.aborted) {
    try {
      await step();
    } catch (error) {
      if (!stopping.aborted) failed(error);
    }
    await delay(intervalMs, undefined, { signal: stopping }).catch(() => {});
  }
}

/** The same one for everybody who knows the same processes; each upload another. */
function chosen(owners: readonly string[], uploadId: string): string | undefined {
  const rank = (owner: string): string =>
    createHash('sha1').update(`${owner}/${uploadId}`).digest('hex');
  return owners.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))[0];
}
