import type { Pool } from 'pg';

export interface Expired {
  /** Written before this … */
  readonly before: Date;
  /** … but for these, which are kept: hashes by which events name them. */
  readonly except: ReadonlySet<string>;
}

const batch = 10_000;
const expired = 'recorded_at < $1 and hash <> all ($2::text[])';
const valuesOf = ({ before, except }: Expired) => [before, [...except]];

/** How many personal records are older than they may be. */
export async function countExpired(pool: Pool, which: Expired): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::integer as count from personal_records where ${expired}`,
    valuesOf(which),
  );
  return rows[0]?.count ?? 0;
}

/** Takes them away, each with its salt, in bounded batches; gives how many there were. */
export async function expireRecords(pool: Pool, which: Expired): Promise<number> {
  let records = 0;
  for (;;) {
    const { rowCount } = await pool.query(
      `
      delete from personal_records where hash in (
        select hash from personal_records where ${expired} limit ${batch}
      )`,
      valuesOf(which),
    );
    records += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) break;
  }
  // So that Postgres may write over them soon.
  if (records > 0) await pool.query('vacuum personal_records');
  return records;
}
