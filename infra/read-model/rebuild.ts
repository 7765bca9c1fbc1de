import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { Projection } from '../../projections/projection.ts';
import { byCopy, RowsRefused } from './copying.ts';
import { abandonBuilding, createGeneration, createIndexes, dropRetired } from './generation.ts';
import { identityOf, voidOther } from './origin.ts';
import { readingAhead } from './reading-ahead.ts';
import { applySparing, type OnUnprojectable } from './sparing.ts';
import { swap } from './swap.ts';
import { generationWriter } from './writer.ts';

export interface RebuildProgress {
  /** Events taken in so far. */
  readonly events: number;
  readonly eventsPerSecond: number;
  /** Done up to here … */
  readonly position: bigint;
  /** … of a log that ends, or ended when last asked, here. */
  readonly head: bigint;
  readonly phase: 'events' | 'indexes' | 'swap' | 'done';
}

export interface RebuildOptions<Parts extends object> {
  readonly projection: Projection<Parts>;
  readonly pool: Pool;
  readonly log: Pick<EventLog, 'readAll' | 'head'>;
  readonly signal: AbortSignal;
  readonly onUnprojectable: OnUnprojectable;
  /** After each batch. */
  readonly onProgress?: (progress: RebuildProgress) => void;
}

/** Retired generations stay this long, for queries that began on them. */
export const retiredGraceMs = 30_000;

const batchEvents = 5000;
const keepEntries = 20_000;
const longestPauseMs = 1000;

/**
 * Makes the read model again from the log, beside the live one, and swaps it in. Bounded batches, indexes last. The
 * newest rebuild wins: an older one that still runs is fenced off and rejects, and what one that died
 * left behind is dropped. Until the swap nothing that queries see is touched.
 */
export const rebuild = <Parts extends object>(
  options: RebuildOptions<Parts>,
): Promise<RebuildProgress> =>
  built(options, keepEntries).catch((error: unknown) => {
    // From the beginning, and each row with its events, so that it shows which of them no row can hold.
    if (error instanceof RowsRefused) return built(options, 0);
    throw error;
  });

async function built<Parts extends object>(
  options: RebuildOptions<Parts>,
  putOffRows: number,
): Promise<RebuildProgress> {
  const { projection, pool, log, signal, onProgress, onUnprojectable } = options;
  await abandonBuilding(pool, projection.name);
  await dropRetired(pool, projection.name, retiredGraceMs);
  const logId = await identityOf(log);
  await voidOther(pool, projection.name, logId);
  const generation = await createGeneration(pool, projection, logId);
  const store = byCopy(projection, generation, putOffRows);
  const writer = generationWriter(projection, generation, keepEntries, undefined, store);
  const began = performance.now();
  let events = 0;
  let head = await log.head();
  const client = await pool.connect();
  const tell = (phase: RebuildProgress['phase']): RebuildProgress => {
    const eventsPerSecond = Math.round((events / (performance.now() - began)) * 1000);
    const progress = { events, eventsPerSecond, position: writer.position, head, phase };
    onProgress?.(progress);
    return progress;
  };

  const catchUp = async (): Promise<void> => {
    for await (const batch of readingAhead(log, writer.position, batchEvents)) {
      signal.throwIfAborted();
      await applySparing(writer, client, batch, onUnprojectable);
      events += batch.length;
      const last = batch.at(-1)?.position ?? head;
      if (last > head) head = await log.head();
      tell('events');
    }
    await store.flush(client);
  };

  try {
    // What a crash takes back, it takes back together with the checkpoint; the swap's own commit makes all durable. Rows
    // that were put off are durable once they are stored, or this connection is lost with them.
    await client.query('set synchronous_commit = off');
    await catchUp();
    tell('indexes');
    await client.query('reset synchronous_commit');
    await createIndexes([client, pool], projection, generation.number);
    for (let pauseMs = 20; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      await catchUp();
      tell('swap');
      if (await swap(pool, log, projection, generation.number, writer.position))
        return tell('done');
      await delay(pauseMs * (0.5 + Math.random()), undefined, { signal });
    }
  } finally {
    // A connection that would go on without waiting for the disk is of no use to others.
    const isReset = await client.query('reset synchronous_commit').then(
      () => true,
      () => false,
    );
    client.release(!isReset);
  }
}
