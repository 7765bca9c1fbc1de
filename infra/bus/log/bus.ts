import type { EventLog } from '../../../domain/event-log.ts';
import type { Bus } from '../bus.ts';

/** The log's own subscription, where there is no other bus. The log is the caller's to close. */
export const logBus = (log: Pick<EventLog, 'head' | 'follow'>): Bus => ({
  head: () => log.head(),
  follow: (after, signal) => log.follow(after, signal),
  close: async () => {},
});
