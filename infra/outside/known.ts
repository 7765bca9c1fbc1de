import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';

/**
 * What the earlier events of an event's stream amount to, for who reads the log itself. Remembers the last `keep`
 * streams that it met; of any other, or after a leap, it reads the stream up to the event.
 */
export function knownBefore<State>(
  log: Pick<EventLog, 'readStream'>,
  initial: State,
  after: (state: State, event: RecordedEvent) => State,
  keep = 20_000,
) {
  const known = new Map<string, { readonly revision: number; readonly state: State }>();
  return async (event: RecordedEvent): Promise<State> => {
    const { streamId, revision } = event;
    const last = known.get(streamId);
    let before = initial;
    if (revision > 0 && last?.revision === revision - 1) before = last.state;
    else if (revision > 0)
      for (const earlier of (await log.readStream(streamId)).events)
        if (earlier.revision < revision) before = after(before, earlier);
    known.delete(streamId);
    known.set(streamId, { revision, state: after(before, event) });
    for (const oldest of known.keys()) {
      if (known.size <= keep) break;
      known.delete(oldest);
    }
    return before;
  };
}
