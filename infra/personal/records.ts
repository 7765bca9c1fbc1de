import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';

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
   * person, address and agent in the life of a process. Rejects when it cannot be written.
   */
  remember(person: Person): Promise<string>;
}

/** Records known to be written; beyond it the one unused for longest is forgotten, and written anew when it returns. */
const maxRemembered = 10_000;

export function personalRecords(pool: Pool): PersonalRecords {
  const known = new Map<string, Promise<string>>();
  return {
    remember(person) {
      const data = canonical(person);
      const before = known.get(data);
      known.delete(data);
      const hash = before ?? write(pool, person, data);
      known.set(data, hash);
      if (before === undefined) {
        const oldest = known.size > maxRemembered ? known.keys().next().value : undefined;
        if (oldest !== undefined) known.delete(oldest);
        hash.catch(() => known.delete(data));
      }
      return hash;
    },
  };
}

async function write(pool: Pool, person: Person, data: string): Promise<string> {
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
