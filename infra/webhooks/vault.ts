import type { Pool } from 'pg';

/** The secrets that sign, beside the log. */
export interface Vault {
  /** Resolves when the secret is durable. */
  keep(secretId: string, secret: Uint8Array): Promise<void>;
  /** Those that are there. */
  find(secretIds: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  erase(secretIds: readonly string[]): Promise<void>;
}

export const postgresVault = (pool: Pool): Vault => ({
  async keep(secretId, secret) {
    await pool.query({
      name: 'webhook-secret-keep',
      text: 'insert into webhook_secrets (secret_id, secret) values ($1, $2)',
      values: [secretId, Buffer.from(secret)],
    });
  },
  async find(secretIds) {
    const { rows } = await pool.query<{ secret_id: string; secret: Buffer }>({
      name: 'webhook-secret-find',
      text: 'select secret_id, secret from webhook_secrets where secret_id = any ($1::uuid[])',
      values: [secretIds],
    });
    return new Map(rows.map((row) => [row.secret_id, row.secret]));
  },
  async erase(secretIds) {
    await pool.query('delete from webhook_secrets where secret_id = any ($1::uuid[])', [secretIds]);
  },
});

export function memoryVault(): Vault {
  const secrets = new Map<string, Uint8Array>();
  return {
    keep: async (secretId, secret) => void secrets.set(secretId, secret),
    find: async (secretIds) =>
      new Map([...secrets].filter(([secretId]) => secretIds.includes(secretId))),
    async erase(secretIds) {
      for (const secretId of secretIds) secrets.delete(secretId);
    },
  };
}
