import type { Pool } from 'pg';
import type { Person } from './records.ts';

/** Who stood behind events, as long as that is kept. */
export interface People {
  /** By the hashes that events carry; one that was erased is not among them. */
  behind(hashes: readonly string[]): Promise<ReadonlyMap<string, Person>>;
}

/** `pool` is of the database beside the log. */
export const peopleIn = (pool: Pool): People => ({
  async behind(hashes) {
    if (hashes.length === 0) return new Map();
    const { rows } = await pool.query<{ hash: string; data: Person }>({
      name: 'people-behind',
      text: 'select hash, data from personal_records where hash = any ($1::text[])',
      values: [[...new Set(hashes)]],
    });
    return new Map(rows.map(({ hash, data }) => [hash, data]));
  },
});
