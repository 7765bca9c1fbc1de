import type { Pool } from 'pg';

/** A deleted image that can be restored until `due`. */
export interface KeptImage {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  /** Bytes. */
  readonly size: number;
  readonly due: Date;
}

/** Deleted images that can be restored: those that go first come first. */
export async function keptImages(pool: Pool): Promise<readonly KeptImage[]> {
  const { rows } = await pool.query<Omit<KeptImage, 'size'> & { size: bigint }>(`
    select id, image->>'name' as name, image->>'owner' as owner, (image->>'size')::bigint as size, due
    from images.kept
    order by due, id`);
  return rows.map((row) => ({ ...row, size: Number(row.size) }));
}
