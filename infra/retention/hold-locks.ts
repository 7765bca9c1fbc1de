import type { Pool } from 'pg';
import { LogUnavailable } from '../../domain/event-log.ts';
import type { Log } from '../postgres/log.ts';
import { postgresPool } from '../postgres/pool.ts';

/** Keeps the placing of a project's hold apart from deletions that were decided without it, whichever process does what. */
export interface HoldLocks {
  /** While an image of the project may be deleted. Others may delete as well. */
  whileDeleting<Value>(projectId: string, step: () => Promise<Value>): Promise<Value>;
  /** While a hold is placed: whoever was deleting has an answer from the log, and who comes next finds the hold. */
  whilePlacing<Value>(projectId: string, step: () => Promise<Value>): Promise<Value>;
}

export interface OpenHoldLocks extends HoldLocks {
  close(): Promise<void>;
}

/** Longest wait for the others; a deletion is over, or given up, by then. */
const lockTimeoutMs = 15_000;

/** Opens connections of their own, since each is in use for as long as a step takes. */
export function openHoldLocks(
  postgresUrl: string,
  { log, applicationName, max = 4 }: { log: Log; applicationName: string; max?: number },
): OpenHoldLocks {
  const settings = { lock_timeout: String(lockTimeoutMs) };
  const pool = postgresPool(postgresUrl, { log, max, applicationName, settings });
  return { ...postgresHoldLocks(pool), close: () => pool.end() };
}

/** By advisory locks of Postgres, which go with their session: a process that dies keeps nobody waiting. */
function postgresHoldLocks(pool: Pool): HoldLocks {
  const locked = async <Value>(
    kind: '' | '_shared',
    projectId: string,
    step: () => Promise<Value>,
  ): Promise<Value> => {
    const key = `hashtext('daguerre legal hold'), hashtext($1)`;
    const client = await pool.connect().catch((error: unknown) => {
      throw new LogUnavailable(error);
    });
    let broken = true;
    try {
      await client.query(`select pg_advisory_lock${kind}(${key})`, [projectId]).catch((error) => {
        throw new LogUnavailable(error);
      });
      try {
        return await step();
      } finally {
        broken = await client.query(`select pg_advisory_unlock${kind}(${key})`, [projectId]).then(
          () => false,
          () => true,
        );
      }
    } finally {
      client.release(broken);
    }
  };
  return {
    whileDeleting: (projectId, step) => locked('_shared', projectId, step),
    whilePlacing: (projectId, step) => locked('', projectId, step),
  };
}

/** Of one process alone: one step after the other. */
export function memoryHoldLocks(): HoldLocks {
  let last: Promise<unknown> = Promise.resolve();
  const queued = <Value>(_: string, step: () => Promise<Value>): Promise<Value> => {
    const mine = last.then(step);
    last = mine.catch(() => {});
    return mine;
  };
  return { whileDeleting: queued, whilePlacing: queued };
}
