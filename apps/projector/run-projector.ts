import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { byTurns } from '../../infra/leases/by-turns.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { CheckpointMover } from '../../infra/read-model/checkpoints.ts';
import {
  dropRetired,
  type Generation,
  liveGeneration,
  voidAhead,
} from '../../infra/read-model/generation.ts';
import { ensureGenerations } from '../../infra/read-model/migrations.ts';
import { keepOrigin } from '../../infra/read-model/origin.ts';
import { rebuild, retiredGraceMs } from '../../infra/read-model/rebuild.ts';
import { applySparing, type OnUnprojectable } from '../../infra/read-model/sparing.ts';
import { Fenced, generationWriter, type Writer } from '../../infra/read-model/writer.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Projection } from '../../projections/projection.ts';

export interface ProjectorOptions<Parts extends object> {
  readonly projection: Projection<Parts>;
  readonly pool: Pool;
  readonly log: Pick<EventLog, 'readAll' | 'head' | 'follow'>;
  readonly logger: Logger;
  readonly lease: Lease;
  readonly onUnprojectable: OnUnprojectable;
  readonly passStep: PassStep;
  readonly stopping: AbortSignal;
  /** Called once, when queries find a read model of this version, whoever keeps it. */
  readonly onReady: () => void;
  /** How often a standby looks at the lease. */
  readonly leasePollMs?: number;
  /** Shared by the read models of one process. */
  readonly mover?: CheckpointMover;
  /** Events of so much time are taken in together, where nobody waits for this read model; default 0. */
  readonly gatherMs?: number;
}

const keepEntries = 6_000;
/** Of read models that gather: what they load costs nobody a wait, and what they keep costs the garbage collector. */
const keepGathered = 1_000;
const batchEvents = 2000;
/** Read models of a process look in the same moments, so that one question does for all of their leases. */
const besideEveryMs = 1_000;
const dropEveryMs = 10_000;
/** So long a checkpoint may stay behind events that change nothing; all of a process pass them at the same moments. */
const settleMs = 50;

/**
 * Keeps a read model at the log's head until it is asked to stop. One projector is active by lease; the checkpoint is
 * the fence, so a second one that believes itself active wastes work and does no harm. What is stored decides:
 *
 *     no whole live generation, one of another version, one ahead of the log  → rebuild, swap
 *     live generation                                                         → follow the log into it
 *     fenced (a rebuild elsewhere swapped, another projector wrote)           → look again
 */
export async function runProjector<Parts extends object>(
  options: ProjectorOptions<Parts>,
): Promise<void> {
  const { pool, logger, lease, stopping, leasePollMs } = options;
  let ready = false;
  let ensured = false;
  await byTurns({
    lease,
    stopping,
    pollMs: leasePollMs,
    async look() {
      if (!ensured) await ensureGenerations(pool);
      ensured = true;
      const live = await usableGeneration(options);
      if (live !== undefined && !ready) {
        ready = true;
        options.onReady();
      }
      return live;
    },
    work: (live) => (live === undefined ? build(options) : followInto(live, options)),
    failed(error) {
      if (error instanceof Fenced) {
        logger.info({ reason: error.message }, 'looking again for the live generation');
        return 'at once';
      }
      logger.error({ err: error }, 'the projector cannot go on; trying again');
      ensured = false;
      return 'pause';
    },
  });
}

/** The live generation, if this code can go on with it. One ahead of the log was made from another log, or an older state of this one came back. */
async function usableGeneration<Parts extends object>({
  projection,
  pool,
  log,
}: ProjectorOptions<Parts>): Promise<Generation | undefined> {
  const live = await liveGeneration(pool, projection);
  if (live === undefined || live.version !== projection.version) return undefined;
  return live.position <= (await log.head()) ? live : undefined;
}

async function build<Parts extends object>({
  projection,
  pool,
  log,
  logger,
  onUnprojectable,
  stopping,
}: ProjectorOptions<Parts>): Promise<void> {
  const { name: model, version } = projection;
  logger.info({ version }, 'building a read model');
  await voidAhead(pool, model, await log.head());
  const { events, eventsPerSecond } = await rebuild({
    projection,
    pool,
    log,
    signal: stopping,
    onUnprojectable,
  });
  logger.info({ version, events, eventsPerSecond }, 'built a read model');
}

async function followInto<Parts extends object>(
  live: Generation,
  {
    projection,
    pool,
    log,
    logger,
    lease,
    onUnprojectable,
    passStep,
    stopping,
    mover,
    gatherMs = 0,
  }: ProjectorOptions<Parts>,
): Promise<void> {
  const stop = new AbortController();
  const until = AbortSignal.any([stopping, stop.signal]);
  const writer = generationWriter(
    projection,
    live,
    gatherMs > 0 ? keepGathered : keepEntries,
    mover,
  );
  const settling = settler(writer, pool, () => stop.abort());
  let droppedAt = performance.now();
  const beside = repeatedly(besideEveryMs, logger, async () => {
    const before = writer.position;
    const [isHeld, now] = await Promise.all([lease.tryHold(), liveGeneration(pool, projection)]);
    const isOurs = now?.number === live.number && now.position >= before;
    if (!isOurs || !isHeld) stop.abort();
    if (performance.now() - droppedAt < dropEveryMs) return;
    await dropRetired(pool, projection.name, retiredGraceMs);
    droppedAt = performance.now();
  });
  logger.info({ position: live.position }, 'following the log');
  let isOriginKept = live.logId !== null;
  const keepOriginOnce = async (): Promise<void> => {
    if (!isOriginKept) isOriginKept = (await keepOrigin(pool, live.number, log)) !== null;
  };
  try {
    await keepOriginOnce();
    for await (const events of log.follow(writer.position, until)) {
      passStep('projector.batch-read');
      for (let start = 0; start < events.length; start += batchEvents) {
        const batch = events.slice(start, start + batchEvents);
        await settling.inTurn(() => applySparing(writer, pool, batch, onUnprojectable));
      }
      settling.soon();
      passStep('projector.batch-committed');
      await keepOriginOnce();
      if (gatherMs > 0) await delay(gatherMs, undefined, { signal: until }).catch(() => {});
    }
  } finally {
    await beside.stop();
    await settling.stop();
  }
}

/** Moves a checkpoint past events that change nothing, between two batches; `failed` is called when it is not ours to move any more. */
function settler(writer: Writer, pool: Pool, failed: () => void) {
  let last: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
  return {
    inTurn,
    soon(): void {
      if (!writer.isAhead) return;
      timer ??= setTimeout(
        () => {
          timer = undefined;
          inTurn(() => writer.settle(pool)).catch(failed);
        },
        settleMs - (performance.now() % settleMs),
      );
    },
    async stop(): Promise<void> {
      clearTimeout(timer);
      await inTurn(() => writer.settle(pool)).catch(() => {});
    },
  };
}

/** Runs again and again, one at a time, at whole multiples of `everyMs` of the process's clock; a failure is left to the next. */
function repeatedly(everyMs: number, logger: Logger, work: () => Promise<void>) {
  let running: Promise<void> | undefined;
  const next = (): NodeJS.Timeout =>
    setTimeout(
      () => {
        timer = next();
        running ??= work()
          .catch((error) =>
            logger.warn({ err: error }, 'the live generation cannot be looked after'),
          )
          .finally(() => {
            running = undefined;
          });
      },
      // A timer may fire a moment early: the multiple that it was for is not looked at twice.
      1.5 * everyMs - ((performance.now() + everyMs / 2) % everyMs),
    );
  let timer = next();
  return {
    async stop() {
      clearTimeout(timer);
      await running;
    },
  };
}
