import assert from 'node:assert/strict';
import type { Pool } from 'pg';
import { runProjector } from '../../apps/projector/run-projector.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import { leaseMigrations } from '../../infra/leases/migrations.ts';
import type { CheckpointMover } from '../../infra/read-model/checkpoints.ts';
import { type Generation, liveGeneration, schemaOf } from '../../infra/read-model/generation.ts';
import { readModelMigrations } from '../../infra/read-model/migrations.ts';
import { type RebuildProgress, rebuild } from '../../infra/read-model/rebuild.ts';
import type { OnUnprojectable } from '../../infra/read-model/sparing.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { ImageParts } from '../../projections/images/fold.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import type { Projection } from '../../projections/projection.ts';
import { until } from '../support/until.ts';

export const migrations = [...readModelMigrations, ...leaseMigrations];

export const quiet = logger('test', 'silent');

/** A log that holds these events, for reading. */
export const logOf = (events: readonly RecordedEvent[]): Pick<EventLog, 'readAll' | 'head'> => ({
  readAll: async (after, limit) =>
    events.filter(({ position }) => position > after).slice(0, limit),
  head: async () => events.at(-1)?.position ?? 0n,
});

export const rebuildFrom = (
  pool: Pool,
  log: Pick<EventLog, 'readAll' | 'head'>,
  projection: Projection<ImageParts> = imagesProjection,
): Promise<RebuildProgress> =>
  rebuild({
    projection,
    pool,
    log,
    signal: new AbortController().signal,
    onUnprojectable: unexpected,
  });

/** Every event of these tests can be projected, unless a test says otherwise. */
export const unexpected: OnUnprojectable = (event, error) => {
  throw new Error(`${event.streamId} revision ${event.revision} was passed over`, { cause: error });
};

export async function live(pool: Pool): Promise<Generation> {
  const generation = await liveGeneration(pool, imagesProjection);
  assert.ok(generation, 'there is a live generation');
  return generation;
}

/** Every row of a generation, as text that is the same for the same content. */
export async function rowsOf(pool: Pool, number: number): Promise<readonly string[]> {
  const schema = schemaOf('images', number);
  const { rows } = await pool.query<{ row: string }>(`
    select 'image ' || to_jsonb(image)::text as row from ${schema}.image
    union all
    select 'work ' || to_jsonb(work)::text from ${schema}.work
    order by row`);
  return rows.map(({ row }) => row);
}

/** A lease that nobody else asks for. */
export const ownLease: Lease = { tryHold: async () => true, release: async () => {} };

export interface RunningProjector {
  /** Resolves when queries find the read model. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

export function startProjector(
  pool: Pool,
  log: EventLog,
  {
    lease = ownLease,
    projection = imagesProjection,
    onUnprojectable = unexpected as OnUnprojectable,
    mover,
  }: {
    readonly lease?: Lease;
    readonly projection?: Projection<ImageParts>;
    readonly onUnprojectable?: OnUnprojectable;
    readonly mover?: CheckpointMover;
  } = {},
): RunningProjector {
  const stop = new AbortController();
  let isReady = false;
  const running = runProjector({
    projection,
    pool,
    log,
    logger: quiet,
    lease,
    onUnprojectable,
    passStep: () => {},
    stopping: stop.signal,
    ...(mover === undefined ? {} : { mover }),
    onReady: () => {
      isReady = true;
    },
  });
  return {
    ready: until('the read model', () => isReady).then(() => {}),
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** Waits until the live generation has everything that is in the log now. */
export async function caughtUp(pool: Pool, log: EventLog): Promise<void> {
  const head = await log.head();
  await until('the live generation to catch up', async () => {
    const generation = await liveGeneration(pool, imagesProjection);
    return generation !== undefined && generation.position >= head;
  });
}
