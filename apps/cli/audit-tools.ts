import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { BundlePorts } from '../../infra/audit/bundle.ts';
import {
  type AuditMemory,
  postgresAuditMemory,
  type SignedHead,
} from '../../infra/audit/memory.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';
import { postgresTreeStore, type TreeStore } from '../../infra/audit/tree-store.ts';
import type { Config } from '../../infra/config/config.ts';
import { besideLogUrl, lowestPosition, openEventLog } from '../../infra/event-log/open.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { keyFileOf, originFrom } from '../audit/part.ts';
import type { SigningPorts } from '../audit/signing.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { withDatabases } from './database.ts';

/** What the commands of the audit work with. */
export interface AuditTools {
  readonly config: Config;
  readonly log: EventLog;
  readonly besideLog: Pool;
  /** Of what can be made again. */
  readonly pool: Pool;
  readonly store: TreeStore;
  readonly memory: AuditMemory;
  readonly ports: BundlePorts;
  readonly signing: SigningPorts;
  /** Rejects where nothing was signed yet. */
  newest(): Promise<SignedHead>;
}

export const withAuditTools = <Value>(
  config: Config,
  use: (tools: AuditTools) => Promise<Value>,
): Promise<Value> => withDatabases(config, (databases) => withOpenTools(config, databases, use));

async function withOpenTools<Value>(
  config: Config,
  databases: Databases,
  use: (tools: AuditTools) => Promise<Value>,
): Promise<Value> {
  const { eventLogUrl, postgresUrl } = databases;
  const quiet = logger('cli', 'warn');
  await migrateAll(databases, quiet);
  const pool = postgresPool(postgresUrl, { log: quiet, max: 2 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log: quiet, max: 2 });
  const log = await openEventLog(eventLogUrl, { log: quiet, upcast: (event) => event });
  const store = postgresTreeStore(pool);
  const memory = postgresAuditMemory(besideLog);
  const proofs = proofsFrom(store);
  try {
    return await use({
      ...{ config, log, besideLog, pool, store, memory },
      ports: { log, store, proofs, memory, lowest: lowestPosition(eventLogUrl) },
      signing: { memory, keyFile: keyFileOf(config), origin: originFrom(config) },
      async newest() {
        const head = await memory.newest();
        if (head === undefined)
          throw new Error(
            'nothing has been signed yet: a running projector does, after the first event',
          );
        return head;
      },
    });
  } finally {
    await log.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}
