import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { Projection } from '../../projections/projection.ts';
import { announcement, channel } from './announcement.ts';
import { createViews, inTransaction, isLockTrouble } from './generation.ts';
import { isUnstorable } from './sparing.ts';
import { Fenced, generationWriter } from './writer.ts';

/** Most events that the swap itself takes in while the live generation's writer waits for it. */
const lastStep = 2000;

interface Locked {
  readonly number: string | number | bigint;
  readonly version: number;
  readonly state: string;
  readonly position: string | number | bigint;
  readonly log_id: string | null;
}

/** More than the swap itself takes in has come since: nothing of what it did may stay. */
class TooFarBehind extends Error {}

/**
 * Puts a generation that has caught up in the place of the live one: one short transaction that holds both
 * checkpoints. What the live one has and the new one lacks is taken in there, so the new one is no older.
 * False when it was too far behind, met an event that cannot be stored, or when queries held the views for too long:
 * catch up and try again. Rejects with `Fenced` when the generation is not ours, or not at `at` where we left it.
 */
export async function swap<Parts extends object>(
  pool: Pool,
  log: Pick<EventLog, 'readAll'>,
  projection: Projection<Parts>,
  number: number,
  at: bigint,
): Promise<boolean> {
  const { name, version } = projection;
  await pool.query(`create schema if not exists ${name}`);
  try {
    return await inTransaction(pool, async (client) => {
      // Readers queue up behind us while we wait for the views, so we do not wait long.
      await client.query(`set local lock_timeout = '100ms'`);
      const { rows } = await client.query<Locked>(
        `
        select number, version, state, position, log_id
        from read_model.generation
        where model = $1 and (state = 'live' or number = $2)
        order by number
        for update`,
        [name, number],
      );
      const live = rows.find(({ state }) => state === 'live');
      const next = rows.find((row) => Number(row.number) === number && row.state === 'building');
      if (next === undefined || BigInt(next.position) !== at)
        throw new Fenced(`${name}_${number}`, at);
      const building = {
        number,
        version,
        state: 'building',
        position: BigInt(next.position),
        logId: next.log_id,
      } as const;
      const writer = generationWriter(projection, building, 0);
      const target = live === undefined ? 0n : BigInt(live.position);
      if (writer.position < target) {
        const events = await log.readAll(writer.position, lastStep);
        await writer.apply(
          client,
          events.filter(({ position }) => position <= target),
        );
        if (writer.position < target) throw new TooFarBehind();
      }
      await client.query(
        `update read_model.generation set state = 'retired', retired_at = now() where model = $1 and state = 'live'`,
        [name],
      );
      await client.query(`update read_model.generation set state = 'live' where number = $1`, [
        number,
      ]);
      await createViews(client, projection, number, live?.version !== version);
      await client.query(`select pg_notify($1, $2)`, [
        channel,
        `${announcement(name)}${writer.position}`,
      ]);
      return true;
    });
  } catch (error) {
    if (error instanceof TooFarBehind || isLockTrouble(error) || isUnstorable(error)) return false;
    throw error;
  }
}
