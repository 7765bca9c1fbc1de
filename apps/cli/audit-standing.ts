import type { AuditMemory } from '../../infra/audit/memory.ts';

/** What `daguerre status` says of the tree over all events; `daguerre audit status` says more. */
export interface AuditStanding {
  /** Null before the first checkpoint. */
  readonly signed: {
    readonly size: number;
    readonly position: string;
    readonly lag: string;
  } | null;
  readonly alarm: { readonly message: string; readonly since: Date | null } | null;
}

export async function auditStanding(memory: AuditMemory, head: bigint): Promise<AuditStanding> {
  const [signed, { alarm, alarmedAt }] = [await memory.newest(), await memory.watch()];
  const lag = signed !== undefined && head > signed.position ? head - signed.position : 0n;
  return {
    signed:
      signed === undefined
        ? null
        : { size: signed.size, position: String(signed.position), lag: String(lag) },
    alarm: alarm === null ? null : { message: alarm, since: alarmedAt },
  };
}

export const auditLines = ({ signed, alarm }: AuditStanding): readonly string[] => [
  signed === null
    ? 'audit       nothing is signed yet'
    : `audit       signed at position ${signed.position}, ${signed.lag} behind`,
  ...(alarm === null
    ? []
    : [`audit       ALARM since ${alarm.since?.toISOString()}: ${alarm.message}`]),
];
