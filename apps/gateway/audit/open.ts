import type { Pool } from 'pg';
import { auditAccess } from '../../../domain/audit/access.ts';
import type { Policy } from '../../../domain/policy/policy.ts';
import { postgresAuditMemory } from '../../../infra/audit/memory.ts';
import { proofsFrom } from '../../../infra/audit/proofs.ts';
import { postgresTreeStore } from '../../../infra/audit/tree-store.ts';
import { type OpenOptions, openEventLog } from '../../../infra/event-log/open.ts';
import type { AuditPorts } from './routes.ts';

/** The audit tree as a gateway reads it, with a log of its own that gives events as they are stored. */
export async function openAudit(
  eventLogUrl: string,
  {
    queries,
    besideLog,
    policy,
    log,
  }: Pick<OpenOptions, 'log'> & {
    readonly queries: Pool;
    readonly besideLog: Pool;
    readonly policy: Policy;
  },
): Promise<{ readonly ports: AuditPorts; readonly close: () => Promise<void> }> {
  const stored = await openEventLog(eventLogUrl, { log, upcast: (event) => event });
  const store = postgresTreeStore(queries);
  const memory = postgresAuditMemory(besideLog);
  const access = auditAccess(policy);
  const ports = { log: stored, store, proofs: proofsFrom(store), memory, access };
  return { ports, close: () => stored.close() };
}
