import type { EventLog } from '../../domain/event-log.ts';
import { outsideOf } from '../../domain/outside/outside.ts';
import { type Standing, standingAfter } from '../../domain/outside/standing.ts';
import { type Events, isToldTo, isWanted, type Told } from '../../projections/events/events.ts';
import { NotYetVisible, type Visible } from '../../projections/images/images.ts';

/** The read model of events in memory: folded anew from the log at each question, so that it is never behind. */
export function memoryEvents(log: Pick<EventLog, 'readAll' | 'head' | 'follow'>): Events & Visible {
  const told = async (): Promise<readonly Told[]> => {
    const standings = new Map<string, Standing | undefined>();
    const all: Told[] = [];
    for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
      const before = standings.get(event.streamId);
      const outside = outsideOf(event, before);
      standings.set(event.streamId, standingAfter(before, event));
      if (outside !== undefined) all.push({ event, ...outside });
    }
    return all;
  };
  return {
    async page({ viewer, filter, after, upTo, limit }) {
      if (upTo <= after) return { events: [], next: after };
      const matching = (await told()).filter(
        (one) =>
          one.event.position > after &&
          one.event.position <= upTo &&
          isToldTo(one, viewer) &&
          isWanted(one, filter),
      );
      const events = matching.slice(0, limit);
      const last = events.at(-1);
      const whole = last === undefined || matching.length <= limit;
      return { events, next: whole ? upTo : last.event.position };
    },
    checkpoint: () => log.head(),
    async waitFor(position, timeoutMs) {
      const late = AbortSignal.timeout(timeoutMs);
      for await (const events of log.follow(position - 1n, late)) if (events.length > 0) return;
      throw new NotYetVisible(position);
    },
  };
}
