import type { Pool } from 'pg';
import { together } from '../../domain/together.ts';
import type { DeathWatch } from './death-watch.ts';
import { withLeases } from './migrations.ts';

export interface Lease {
  /** Whether `owner` holds it now, after taking it when it was free or its holder is dead. */
  tryHold(): Promise<boolean>;
  /** Gives it up, if held, so that the next need not wait. */
  release(): Promise<void>;
}

interface Held {
  readonly owner: string;
  readonly token: string | bigint;
}

const reads = new WeakMap<Pool, (name: string) => Promise<Held | undefined>>();

/** A process with many leases looks at them in the same moments: one question for all. */
function readOf(pool: Pool): (name: string) => Promise<Held | undefined> {
  const known = reads.get(pool);
  if (known !== undefined) return known;
  const read = together(async (names) => {
    const { rows } = await pool.query<Held & { name: string }>({
      name: 'lease-read',
      text: 'select name, owner, token from leases where name = any ($1::text[])',
      values: [names],
    });
    return new Map(rows.map((row) => [row.name, row]));
  });
  reads.set(pool, read);
  return read;
}

/**
 * One holder by name, kept by the holder's heartbeat. It is a courtesy that saves double work: who was paused may
 * believe for a moment that it still holds it, so what is done under it must be fenced by itself.
 */
export function lease(
  pool: Pool,
  {
    name,
    owner,
    watch,
    onTakeOver,
  }: { name: string; owner: string; watch: DeathWatch; onTakeOver?: (from: string) => void },
): Lease {
  const tryHold = async (): Promise<boolean> => {
    const held = await readOf(pool)(name);
    if (held?.owner === owner) return true;
    if (held !== undefined && !watch.isDead(held.owner)) return false;
    const taken = await pool.query(
      held === undefined
        ? {
            text: 'insert into leases (name, owner, token) values ($1, $2, 1) on conflict do nothing',
            values: [name, owner],
          }
        : {
            text: 'update leases set owner = $2, token = token + 1 where name = $1 and token = $3',
            values: [name, owner, held.token],
          },
    );
    if (taken.rowCount === 1 && held !== undefined) onTakeOver?.(held.owner);
    return taken.rowCount === 1;
  };

  return {
    tryHold: () => withLeases(pool, tryHold),
    async release() {
      await pool.query('delete from leases where name = $1 and owner = $2', [name, owner]);
    },
  };
}
