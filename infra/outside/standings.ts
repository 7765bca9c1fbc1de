import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { outsideKindOf } from '../../domain/outside/exposure.ts';
import { type Outside, outsideOf } from '../../domain/outside/outside.ts';
import { type Standing, standingAfter } from '../../domain/outside/standing.ts';
import { knownBefore } from './known.ts';

/** Tells how events stand to the projects outside. */
export interface Standings {
  /** Undefined for what stays inside. Cheapest when the events of a stream come in order, each of them, inside ones too. */
  outsideOf(event: RecordedEvent): Promise<Outside | undefined>;
}

/** For who reads the log itself; of `keep` see `knownBefore`. */
export function standings(log: Pick<EventLog, 'readStream'>, keep?: number): Standings {
  const before = knownBefore<Standing | undefined>(log, undefined, standingAfter, keep);
  return {
    async outsideOf(event) {
      if (outsideKindOf(event.streamId) === undefined) return undefined;
      return outsideOf(event, await before(event));
    },
  };
}
