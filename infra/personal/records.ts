import { createHash, randomBytes } from 'node:crypto';
import type { Queryable } from '../read-model/generation.ts';

/** What is personal about a request. It lies beside the log, where it can be erased. */
export interface Person {
  readonly userId: string;
  readonly userName: string;
  readonly remoteAddress: string;
  readonly userAgent: string;
}

export interface PersonalRecords {
  /**
   * The hash by which events name this person's record; the record is durable when it resolves. One record per
   * person, address and agent in the life of a process, until it is erased or to be renewed. Rejects when it cannot be written.
   */
  remember(person: Person): Promise<string>;
}

/** Records known to be written; beyond it the one unused for longest is forgotten, and written anew when it returns. */
const maxRemembered = 10_000;
/** How long a record is taken to be there without looking: who was erased and still comes has a new one by then. */
const usualRecheckMs = 60_000;

interface Known {
  readonly hash: Promise<string>;
  readonly lookedAt: number;
  readonly writtenAt: number;
}

export function personalRecords(
  pool: Queryable,
  {
    recheckMs = usualRecheckMs,
    renewMs = Number.POSITIVE_INFINITY,
  }: {
    readonly recheckMs?: number;
    /** How long a record is used after it was written: where old ones go, what is new needs one that stays. */
    readonly renewMs?: number;
  } = {},
): PersonalRecords {
  const known = new Map<string, Known>();
  return {
    remember(person) {
      const data = canonical(person);
      const now = performance.now();
      const last = known.get(data);
      const before = last !== undefined && now - last.writtenAt < renewMs ? last : undefined;
      const isFresh = before !== undefined && now - before.lookedAt < recheckMs;
      known.delete(data);
      const one = isFresh
        ? before
        : {
            hash: stillThere(pool, before, person, data),
            lookedAt: now,
            writtenAt: before?.writtenAt ?? now,
          };
      known.set(data, one);
      if (!isFresh) {
        const oldest = known.size > maxRemembered ? known.keys().next().value : undefined;
        if (oldest !== undefined) known.delete(oldest);
        one.hash.catch(() => known.get(data) === one && known.delete(data));
      }
      return one.hash;
    },
  };
}

/** The record as it was, where nobody has erased it; else a new one. */
async function stillThere(
  pool: Queryable,
  before: Known | undefined,
  person: Person,
  data: string,
): Promise<string> {
  const hash = await before?.hash;
  if (hash !== undefined) {
    const { rowCount } = await pool.query({
      name: 'personal-record-there',
      text: 'select from personal_records where hash = $1',
      values: [hash],
    });
    if (rowCount === 1) return hash;
  }
  return write(pool, person, data);
}

async function write(pool: Queryable, person: Person, data: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = personalHash(salt, data);
  await pool.query({
    name: 'personal-record',
    text: `
      insert into personal_records (hash, salt, user_id, data)
      values ($1, $2, $3, $4)`,
    values: [hash, salt, person.userId, data],
  });
  return hash;
}

/** `sha256(salt || canonical data)`, hex: without the record it can be linked to nobody. */
export const personalHash = (salt: Uint8Array, data: string): string =>
  createHash('sha256').update(salt).update(data).digest('hex');

/** JSON with its keys in order. */
const canonical = ({ remoteAddress, userAgent, userId, userName }: Person): string =>
  JSON.stringify({ remoteAddress, userAgent, userId, userName });
