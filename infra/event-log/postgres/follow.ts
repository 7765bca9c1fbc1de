import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { Bell } from '../bell.ts';

export interface Following {
  readonly after: bigint;
  readonly signal: AbortSignal;
  /** Events above a position; undefined when the log could not be reached, after a pause. */
  readonly read: (after: bigint, limit: number) => Promise<readonly RecordedEvent[] | undefined>;
  /** Rings when there may be more. */
  readonly news: Bell;
}

const batch = 1_000;
const pollMs = 250;

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
    const events = await reading;
    const newest = events?.at(-1);
    if (events && newest) {
      last = newest.position;
      const ahead = events.length === batch ? readNext() : undefined;
      if (!signal.aborted) yield events;
      reading = ahead ?? readNext();
      continue;
    }
    if (events) await news.past(rings, pollMs, signal);
    reading = readNext();
  }
}
