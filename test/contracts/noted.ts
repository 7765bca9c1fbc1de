import { randomUUID } from 'node:crypto';
import type { NewEvent } from '../../domain/event-log.ts';

/** An event about nothing. */
export function noted(note: string, type = 'Noted'): NewEvent {
  return {
    id: randomUUID(),
    type,
    schemaVersion: 1,
    data: { note },
    metadata: {
      actor: { kind: 'user', userId: 'ada', projectId: null, roles: ['member', 'reader'] },
      requestId: 'req-1',
      causationId: 'command-1',
      correlationId: 'req-1',
    },
  };
}
