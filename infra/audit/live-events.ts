import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';

/** Most events asked for at once. */
const batch = 1_000;

/** What the log has now above one position and up to another, as it is stored. */
export async function* eventsBetween(
  log: Pick<EventLog, 'readAll'>,
  after: bigint,
  upTo: bigint,
): AsyncGenerator<RecordedEvent> {
  for (let last = after; last < upTo; ) {
    const span = upTo - last;
    const events = await log.readAll(last, span < batch ? Number(span) : batch);
    for (const event of events) {
      if (event.position > upTo) return;
      yield event;
    }
    const newest = events.at(-1);
    if (newest === undefined) return;
    last = newest.position;
  }
}
