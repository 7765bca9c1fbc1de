import {
  AppendUnknown,
  type EventLog,
  type NewEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';
import { refusalStream } from '../../domain/request-refused.ts';

/** Lost races that one append may take; others append to the same day, but seldom. */
const attempts = 10;

interface Waiting {
  readonly events: readonly NewEvent[];
  readonly settle: (outcome: Promise<void>) => void;
}

/**
 * Appends to the stream of the day. Whoever comes while an append is under way goes with the next one, together with
 * all others; the stream is read only where its end is not known.
 */
export function refusalLog({
  log,
  now,
}: {
  log: Pick<EventLog, 'readStream' | 'append'>;
  now: () => Date;
}): (events: readonly NewEvent[]) => Promise<void> {
  let waiting: Waiting[] = [];
  let writing = false;
  let end = { stream: '', revision: -1 };

  const write = async (events: readonly NewEvent[]): Promise<void> => {
    const stream = refusalStream(now());
    if (end.stream !== stream) end = { stream, revision: (await log.readStream(stream)).revision };
    for (let attempt = 1; ; attempt += 1)
      try {
        await log.append(stream, events, end.revision);
        end = { stream, revision: end.revision + events.length };
        return;
      } catch (error) {
        const { revision, events: found } = await endAfter(error, stream);
        end = { stream, revision };
        if (found.some(({ id }) => id === events[0]?.id)) return;
        if (attempt === attempts) throw error;
      }
  };

  /** What is in the stream after a race was lost, or an append's answer. */
  const endAfter = async (error: unknown, stream: string) => {
    if (error instanceof RevisionConflict || error instanceof AppendUnknown)
      return log.readStream(stream);
    throw error;
  };

  const writeAll = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const together = waiting;
      waiting = [];
      const outcome = write(together.flatMap(({ events }) => events));
      for (const { settle } of together) settle(outcome);
      await outcome.catch(() => {});
    }
    writing = false;
  };

  return (events) =>
    new Promise((resolve) => {
      waiting.push({ events, settle: resolve });
      if (!writing) void writeAll();
    });
}
