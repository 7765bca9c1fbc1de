import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { ConfigError } from '../config/config.ts';
import type { Log } from '../postgres/log.ts';
import { postgresEventLog } from './postgres/event-log.ts';

export interface OpenOptions {
  readonly log: Log;
  /** Lifts each event that is read to its newest shape. */
  readonly upcast: (event: RecordedEvent) => RecordedEvent;
}

/** As `--event-log-url` names it: `esdb://` and `esdb+discover://` are EventStoreDB's, anything else is Postgres. */
export const isEventStoreDb = (url: string): boolean => /^esdb(\+discover)?:/.test(url);

/** The Postgres beside the log, for what is backed up with it and can be erased: the log's own, where it is one. */
export const besideLogUrl = (eventLogUrl: string, postgresUrl: string): string =>
  isEventStoreDb(eventLogUrl) ? postgresUrl : eventLogUrl;

/** Below every position that an event can be given, also one that no reader would ask for: nothing hides from a check there. */
export const lowestPosition = (eventLogUrl: string): bigint =>
  isEventStoreDb(eventLogUrl) ? 0n : -(2n ** 63n);

/** Opens the log by the scheme of its URL. Rejects with `ConfigError` when EventStoreDB's client cannot use it. */
export async function openEventLog(url: string, options: OpenOptions): Promise<EventLog> {
  if (!isEventStoreDb(url)) return postgresEventLog(url, options);
  // Only who uses it loads it: gRPC takes a quarter of a second and some 30 MB.
  const { eventStoreDbEventLog } = await import('./eventstoredb/event-log.ts');
  try {
    return eventStoreDbEventLog(url, options);
  } catch (error) {
    throw new ConfigError([`--event-log-url: ${(error as Error).message}`]);
  }
}
