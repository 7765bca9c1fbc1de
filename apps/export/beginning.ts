import { randomUUID } from 'node:crypto';
import { type EventLog, type NewEvent, RevisionConflict } from '../../domain/event-log.ts';
import { type ExportEvent, exportStream, lastWord } from '../../domain/export/events.ts';
import { eventId } from '../../infra/event-id.ts';
import type { Reach } from '../../infra/export/cursors.ts';

type ExportLog = Pick<EventLog, 'readStream' | 'append' | 'head'>;

/** Where a target is told from whose cursor is not there: where the log says, or, when it is new, from where it is set to. */
export async function beginningOf(
  log: ExportLog,
  { id, from }: { readonly id: string; readonly from: 'start' | 'now' },
): Promise<Reach> {
  for (;;) {
    const said = lastWord((await log.readStream(exportStream(id))).events);
    if (said !== undefined) return { position: said, eventId: null };
    const position = from === 'now' ? await log.head() : 0n;
    try {
      await log.append(
        exportStream(id),
        [exportFact({ type: 'AuditExportBegan', data: { position: String(position) } })],
        -1,
      );
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
    }
  }
}

/**
 * The log is told that a target has everything up to a position. Where somebody else has said something of it meanwhile,
 * that stands.
 */
export async function acknowledge(log: ExportLog, target: string, position: bigint): Promise<void> {
  const { revision } = await log.readStream(exportStream(target));
  const data = { position: String(position) };
  await log
    .append(exportStream(target), [exportFact({ type: 'AuditExportAcknowledged', data })], revision)
    .catch((error) => {
      if (!(error instanceof RevisionConflict)) throw error;
    });
}

/** Of the exporter itself, or of whom `metadata` names. */
export function exportFact(
  { type, data }: ExportEvent,
  metadata: Partial<NewEvent['metadata']> = {},
): NewEvent {
  const commandId = randomUUID();
  return {
    id: eventId(commandId, type, 0),
    type,
    schemaVersion: 1,
    data,
    metadata: {
      actor: { kind: 'system', part: 'export' },
      requestId: `req-${commandId}`,
      causationId: commandId,
      correlationId: commandId,
      ...metadata,
    },
  };
}
