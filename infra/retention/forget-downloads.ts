import type { Pool } from 'pg';

const batch = 5_000;

/**
 * Takes out of the read model of downloads what began so many days ago or more, and does not go on. Gives how many there
 * were. Events stay as they are: a rebuild brings rows back, which queries do not tell of, until they are forgotten again.
 */
export async function forgetDownloads(pool: Pool, keepDays: number): Promise<number> {
  let forgotten = 0;
  for (;;) {
    const { rowCount } = await pool.query({
      name: 'forget-downloads',
      text: `
        delete from downloads.download
        where id in (
          select id
          from downloads.download
          where begun_at <= now() - make_interval(days => $1::int)
            and told_at <= now() - make_interval(days => $1::int)
          order by begun_at
          limit ${batch}
        )`,
      values: [keepDays],
    });
    forgotten += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) return forgotten;
  }
}
