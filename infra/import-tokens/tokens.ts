import type { Pool } from 'pg';

/** The attempt that a token is kept for. Both are UUIDs. */
export interface TokenOf {
  readonly imageId: string;
  readonly uploadId: string;
}

/** Callers' tokens, beside the log, while something is fetched in their name: erased when that ends. */
export interface ImportTokens {
  /** Resolves when it is durable. */
  keep(of: TokenOf, token: string): Promise<void>;
  find(uploadId: string): Promise<string | undefined>;
  erase(uploadId: string): Promise<void>;
  /** Every attempt that one has been kept for since a while: one that is asked for now may not be on record yet. */
  list(): Promise<readonly TokenOf[]>;
}

export const postgresImportTokens = (pool: Pool): ImportTokens => ({
  async keep({ imageId, uploadId }, token) {
    await pool.query('insert into import_tokens (upload_id, image_id, token) values ($1, $2, $3)', [
      uploadId,
      imageId,
      token,
    ]);
  },
  async find(uploadId) {
    const { rows } = await pool.query<{ token: string }>(
      'select token from import_tokens where upload_id = $1',
      [uploadId],
    );
    return rows[0]?.token;
  },
  async erase(uploadId) {
    await pool.query('delete from import_tokens where upload_id = $1', [uploadId]);
  },
  async list() {
    const { rows } = await pool.query<{ image_id: string; upload_id: string }>(
      `select image_id, upload_id from import_tokens where recorded_at < now() - interval '1 minute'`,
    );
    return rows.map(({ image_id, upload_id }) => ({ imageId: image_id, uploadId: upload_id }));
  },
});

export function memoryImportTokens(): ImportTokens {
  const kept = new Map<string, { readonly of: TokenOf; readonly token: string }>();
  return {
    keep: async (of, token) => void kept.set(of.uploadId, { of, token }),
    find: async (uploadId) => kept.get(uploadId)?.token,
    erase: async (uploadId) => void kept.delete(uploadId),
    list: async () => [...kept.values()].map(({ of }) => of),
  };
}
