import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { Bell } from '../bell.ts';

export interface Following {
  readonly after: bigint;
  readonly signal: AbortSignal;
  /** Events above a position; undefined when the log could not be reached, after a pause. */
  readonly read: (after: bigint, limit: number) => Promise<Part | undefined>;
  /** Rings when there may be more. */
  readonly news: Bell;
}

export interface Part {
  readonly events: readonly RecordedEvent[];
  /** Whether they are all that there were: who hears nothing new need not look again. */
  readonly isAll: boolean;
}

const batch = 1_000;
/** Every append rings, and so does a new connection to the bell: this is for a connection that is dead and does not tell. */
const pollMs = 1_000;

/** Batches above `after`, for ever. While the log is ahead, the next batch is read as the last one is worked on. */
export async function* following({ after, signal, read, news }: Following) {
  let last = after;
  let rings = news.rings;
  const readNext = () => {
    rings = news.rings;
    const reading = read(last, batch);
    // Whoever stops following does not wait for it, and its failure is nobody's then.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = readNext();
  while (!signal.aborted) {
    const part = await reading;
    const newest = part?.events.at(-1);
    if (part && newest) {
      last = newest.position;
      const ahead = part.isAll ? undefined : readNext();
      if (!signal.aborted) yield part.events;
      if (ahead !== undefined) {
        reading = ahead;
        continue;
      }
    }
    if (part) await news.past(rings, pollMs, signal);
    reading = readNext();
  }
}
