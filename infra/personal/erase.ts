import type { Pool } from 'pg';

/**
 * Takes away every record of a user, each with its salt: what events still carry is a hash that can be made again from
 * nothing. Gives how many there were.
 */
export async function erasePersonalRecords(pool: Pool, userId: string): Promise<number> {
  const { rowCount } = await pool.query('delete from personal_records where user_id = $1', [
    userId,
  ]);
  // So that Postgres may write over them soon.
  await pool.query('vacuum personal_records');
  return rowCount ?? 0;
}
