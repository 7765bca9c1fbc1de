import type { Pool } from 'pg';
import { channel } from './announcement.ts';

/** Moves checkpoints past events that change no row, those of several read models in one statement. */
export interface CheckpointMover {
  /** Whether the live generation of that number was at `from`, and is at `to` now. */
  move(generation: number, from: bigint, to: bigint): Promise<boolean>;
}

interface Move {
  readonly generation: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly resolve: (moved: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Whatever is asked for within one turn of the event loop goes together, and no commit waits for the disk: what a crash
 * takes back is taken in again, and changes nothing.
 */
export function checkpointMover(pool: Pool): CheckpointMover {
  let waiting: Move[] = [];

  const send = async (moves: readonly Move[]): Promise<void> => {
    try {
      const { rows } = await pool.query<{ number: string | number | bigint }>({
        name: 'move-checkpoints',
        text: moveText,
        values: [
          moves.map(({ generation }) => generation),
          moves.map(({ from }) => from),
          moves.map(({ to }) => to),
        ],
      });
      const moved = new Set(rows.map(({ number }) => Number(number)));
      for (const { generation, resolve } of moves) resolve(moved.has(generation));
    } catch (error) {
      for (const { reject } of moves) reject(error);
    }
  };

  return {
    move: (generation, from, to) =>
      new Promise((resolve, reject) => {
        waiting.push({ generation, from, to, resolve, reject });
        if (waiting.length > 1) return;
        setImmediate(() => {
          const moves = waiting;
          waiting = [];
          void send(moves);
        });
      }),
  };
}

/** Locked in the order in which a swap locks, so that none waits for the other for ever. */
const moveText = `
  with asked as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as move (number, before, after)
  ),
  locked as (
    select number
    from read_model.generation
    where number in (select number from asked)
    order by number
    for update
  ),
  moved as (
    update read_model.generation as generation
    set position = asked.after
    from asked join locked using (number)
    where generation.number = asked.number and state = 'live' and position = asked.before
    returning generation.number, model, asked.after
  )
  select
    number,
    pg_notify('${channel}', model || ' ' || after),
    set_config('synchronous_commit', 'off', true)
  from moved`;
