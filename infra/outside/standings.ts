import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { exposureOf, outsideKindOf } from '../../domain/outside/exposure.ts';
import { type Outside, outsideOf } from '../../domain/outside/outside.ts';
import { type Standing, standingAfter } from '../../domain/outside/standing.ts';

interface Known {
  readonly revision: number;
  readonly standing: Standing | undefined;
}

/** Tells how events stand to the projects outside. */
export interface Standings {
  /** Undefined for what stays inside. Cheapest when the events of a stream come in order, each of them, inside ones too. */
  outsideOf(event: RecordedEvent): Promise<Outside | undefined>;
}

/**
 * For who reads the log itself. Remembers the last `keep` streams that it met; of any other, or after a leap, it reads
 * the stream up to the event.
 */
export function standings(log: Pick<EventLog, 'readStream'>, keep = 20_000): Standings {
  const known = new Map<string, Known>();

  const before = async ({ streamId, revision }: RecordedEvent): Promise<Standing | undefined> => {
    if (revision === 0) return undefined;
    const last = known.get(streamId);
    if (last?.revision === revision - 1) return last.standing;
    const { events } = await log.readStream(streamId);
    return events
      .filter((event) => event.revision < revision)
      .reduce<Standing | undefined>(standingAfter, undefined);
  };

  return {
    async outsideOf(event) {
      if (outsideKindOf(event.streamId) === undefined) return undefined;
      const inside = exposureOf(event) === 'inside';
      if (inside && !known.has(event.streamId)) return undefined;
      const earlier = await before(event);
      known.delete(event.streamId);
      known.set(event.streamId, {
        revision: event.revision,
        standing: standingAfter(earlier, event),
      });
      for (const oldest of known.keys()) {
        if (known.size <= keep) break;
        known.delete(oldest);
      }
      return inside ? undefined : outsideOf(event, earlier);
    },
  };
}
