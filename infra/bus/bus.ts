import type { EventLog } from '../../domain/event-log.ts';

/**
 * How our own processes hear of new facts. `follow` promises what the log's does: every event above a position, in order
 * and without a gap, however long the bus is away. The log stays the authority; a bus only makes it quick and cheap.
 */
export type Bus = Pick<EventLog, 'head' | 'follow'> & { close(): Promise<void> };
