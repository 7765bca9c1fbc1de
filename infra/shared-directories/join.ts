import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { withLeases } from '../leases/migrations.ts';
import type { Logger } from '../telemetry/logger.ts';
import { sharedDirectories } from './migrations.ts';
import { type MarkedDirectory, signsIn } from './signs.ts';

/** A directory that every gateway and worker of a system must have in common. */
export interface SharedDirectory extends MarkedDirectory {
  /** The same on all hosts, whatever the path is there. */
  readonly name: string;
}

export interface JoinOptions {
  /** Its heartbeat must have begun: others judge by it. */
  readonly owner: string;
  readonly directories: readonly SharedDirectory[];
  readonly leaseMs: number;
  readonly log: Logger;
}

/** A living process has another directory under that name. */
export class NotShared extends Error {
  readonly shared: SharedDirectory;
  constructor(shared: SharedDirectory, other: Other) {
    super(
      `is not the directory that ${other.owner} has on ${other.host} as ${other.directory}. All gateways and workers of a ` +
        'system must have the same one, on a file system that all of their hosts share',
    );
    this.name = 'NotShared';
    this.shared = shared;
  }
}

interface Other {
  readonly owner: string;
  readonly name: string;
  readonly host: string;
  readonly directory: string;
}

/**
 * Makes sure, before any byte is moved, that this process has the same directories as those that live: each leaves a sign
 * in every one, then its name in Postgres, and looks for the signs of those that were there before. Of two that start at
 * once the later finds the earlier. Rejects with `NotShared`. Gives what takes its own name and signs away.
 */
export async function joinDirectories(
  pool: Pool,
  { owner, directories, leaseMs, log }: JoinOptions,
): Promise<() => Promise<void>> {
  const joined: SharedDirectory[] = [];
  for (const shared of directories)
    try {
      await signsIn(shared).leave(owner);
      joined.push(shared);
    } catch (error) {
      log.warn(
        { err: error, ...shared },
        'cannot be signed: whether others have the same is not known',
      );
    }
  // Where somebody takes a sign away, nobody who starts later may be refused for it.
  const again = setInterval(() => {
    for (const shared of joined)
      signsIn(shared)
        .leave(owner)
        .catch(() => {});
  }, leaseMs / 4);
  const leave = async (): Promise<void> => {
    clearInterval(again);
    await pool
      .query('delete from shared_directories where owner = $1', [owner])
      .catch((error) => log.warn({ err: error }, 'others will look for this process for a while'));
    for (const shared of joined)
      await signsIn(shared)
        .remove(owner)
        .catch(() => {});
  };
  try {
    const before = await register(pool, owner, joined);
    const seen = await Promise.all(
      before.map(async (other) => {
        const shared = joined.find(({ name }) => name === other.name);
        if (shared === undefined) return { other, found: 'shown' } as const;
        const shows = () => signsIn(shared).shows(other.owner);
        const found = (await shows()) ? 'shown' : await watched(pool, other.owner, leaseMs, shows);
        return { other, shared, found };
      }),
    );
    for (const { other, shared, found } of seen)
      if (found === 'alive' && shared !== undefined) throw new NotShared(shared, other);
    const dead = seen.filter(({ found }) => found === 'dead').map(({ other }) => other.owner);
    await pool.query('delete from shared_directories where owner = any($1)', [dead]);
    await forgetTheDead(pool, joined);
    return leave;
  } catch (error) {
    await leave();
    throw error;
  }
}

/** Any number that nobody else locks: "shared" in ASCII, shortened. */
const lockKey = 0x73686172;

/** One at a time, so that who is registered later sees who was before; gives those. */
async function register(
  pool: Pool,
  owner: string,
  joined: readonly SharedDirectory[],
): Promise<readonly Other[]> {
  const client = await pool.connect();
  let failed = true;
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(${lockKey})`);
    await client.query(sharedDirectories);
    const { rows } = await client.query<Other>(
      'select owner, name, host, directory from shared_directories order by number',
    );
    await client.query(
      `
      insert into shared_directories (owner, name, host, directory)
      select $1, name, $2, directory
      from unnest($3::text[], $4::text[]) as joined (name, directory)`,
      [owner, hostname(), joined.map(({ name }) => name), joined.map(({ directory }) => directory)],
    );
    await client.query('commit');
    failed = false;
    return rows;
  } finally {
    client.release(failed);
  }
}

/** For a whole lease, as others judge it: whose heartbeat stands still, or is absent, for so long is dead. */
async function watched(
  pool: Pool,
  owner: string,
  leaseMs: number,
  shows: () => Promise<boolean>,
): Promise<'alive' | 'dead' | 'shown'> {
  const first = await beatOf(pool, owner);
  let moved = false;
  for (const end = performance.now() + leaseMs; performance.now() < end; await delay(leaseMs / 8)) {
    if (await shows()) return 'shown';
    const beat = await beatOf(pool, owner);
    if (beat === undefined ? first !== undefined || moved : beat < 0) return 'dead';
    moved ||= beat !== first;
  }
  return moved ? 'alive' : 'dead';
}

/** Undefined: not begun, or ended in order; below zero: certified to be dead. */
const beatOf = (pool: Pool, owner: string): Promise<number | undefined> =>
  withLeases(pool, async () => {
    const { rows } = await pool.query<{ beat: string | bigint }>(
      'select beat from heartbeats where owner = $1',
      [owner],
    );
    return rows[0] === undefined ? undefined : Number(rows[0].beat);
  });

/** Whoever was killed leaves its name and its signs. */
async function forgetTheDead(pool: Pool, joined: readonly SharedDirectory[]): Promise<void> {
  await pool.query(`
    delete from shared_directories
    where joined_at < now() - interval '1 hour'
      and owner not in (select owner from heartbeats)`);
  const { rows } = await pool.query<{ owner: string }>('select owner from shared_directories');
  const owners = rows.map(({ owner }) => owner);
  for (const shared of joined) await signsIn(shared).removeAllBut(owners);
}
