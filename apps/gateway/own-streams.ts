import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type NewEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';

/** Rounds for an append whose answer is lost again and again. */
const attempts = 10;
/** A stream that has grown to this is ended: reading it for a lost answer must stay cheap. */
const mostEvents = 5_000;

interface Waiting {
  readonly event: NewEvent;
  readonly settle: (outcome: Promise<void>) => void;
}

/** Whether the same events may be appended at another time: their content is not at fault. */
export const isPassing = (error: unknown): boolean =>
  error instanceof LogUnavailable ||
  error instanceof AppendUnknown ||
  error instanceof RevisionConflict;

export interface OwnStreamsOptions {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly now: () => Date;
  /** Name of a stream of a day, by its number; it also names this life of this process. */
  readonly streamOf: (at: Date, number: number) => string;
}

/**
 * Appends to streams that nobody else appends to, so their end is known without reading. Whoever comes while an append
 * is under way goes with the next one, together with all others; one that cannot be stored fails alone.
 */
export function ownStreams({
  log,
  now,
  streamOf,
}: OwnStreamsOptions): (event: NewEvent) => Promise<void> {
  let waiting: Waiting[] = [];
  let writing = false;
  let day = '';
  let streams = 0;
  let revision = -1;

  const currentStream = (): string => {
    const today = streamOf(now(), 0);
    if (today !== day) {
      day = today;
      streams = 0;
      revision = -1;
    } else if (revision >= mostEvents) {
      streams += 1;
      revision = -1;
    }
    return streamOf(now(), streams);
  };

  const write = async (events: readonly NewEvent[]): Promise<void> => {
    const stream = currentStream();
    for (let attempt = 1; ; attempt += 1)
      try {
        await log.append(stream, events, revision);
        revision += events.length;
        return;
      } catch (error) {
        if (!(error instanceof AppendUnknown || error instanceof RevisionConflict)) throw error;
        const found = await log.readStream(stream);
        revision = found.revision;
        if (found.events.some(({ id }) => id === events[0]?.id)) return;
        if (attempt === attempts) throw error;
      }
  };

  /** Tells each what became of its own event. */
  const writeTogether = async (together: readonly Waiting[]): Promise<void> => {
    const outcome = write(together.map(({ event }) => event));
    try {
      await outcome;
    } catch (error) {
      if (together.length > 1 && !isPassing(error)) {
        const half = Math.ceil(together.length / 2);
        await writeTogether(together.slice(0, half));
        return writeTogether(together.slice(half));
      }
    }
    for (const { settle } of together) settle(outcome);
  };

  const writeAll = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const together = waiting;
      waiting = [];
      await writeTogether(together);
    }
    writing = false;
  };

  return (event) =>
    new Promise((resolve) => {
      waiting.push({ event, settle: resolve });
      if (!writing) void writeAll();
    });
}
