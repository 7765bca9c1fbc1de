import type { AuditPorts } from '../../apps/gateway/audit/routes.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';

/** A log of which nothing has been signed yet. */
export function unsignedAudit(log: EventLog): Omit<AuditPorts, 'access'> {
  const store: AuditPorts['store'] = {
    load: async () => ({ size: 0, position: 0n, edge: [], positions: [] }),
    reach: async () => ({ size: 0, position: 0n }),
    save: async () => false,
    tiles: async () => [],
    leafTile: async () => undefined,
    indexesOf: async (positions) => positions.map(() => undefined),
    leavesUpTo: async () => 0,
    drop: async () => {},
  };
  return {
    log,
    store,
    proofs: proofsFrom(store),
    memory: {
      newest: async () => undefined,
      at: async () => undefined,
      keys: async () => [],
      raise: async () => {},
    },
  };
}
