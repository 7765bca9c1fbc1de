import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';

type Listener = (event: RecordedEvent) => void;

/** Everything that the log takes from the start of this process on, handed to whoever waits for it. */
export interface LogTail {
  /** What the log had before. */
  readonly start: bigint;
  /** From now on, in order; gives the function that ends it. Whoever listens before it appends misses nothing. */
  listen(streamId: string, listener: Listener): () => void;
  /** The same for every stream. */
  listenToAll(listener: Listener): () => void;
  /** Rejects if the log cannot be followed at all; otherwise resolves after `signal` has aborted. */
  readonly ended: Promise<void>;
}

export async function logTail(
  log: Pick<EventLog, 'follow' | 'head'>,
  signal: AbortSignal,
): Promise<LogTail> {
  const byStream = new Map<string, Set<Listener>>();
  const toAll = new Set<Listener>();
  const start = await log.head();

  const follow = async (): Promise<void> => {
    for await (const batch of log.follow(start, signal))
      for (const event of batch) {
        for (const listener of [...toAll]) listener(event);
        for (const listener of [...(byStream.get(event.streamId) ?? [])]) listener(event);
      }
  };

  return {
    start,
    listen(streamId, listener) {
      const listeners = byStream.get(streamId) ?? new Set();
      byStream.set(streamId, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && byStream.get(streamId) === listeners) byStream.delete(streamId);
      };
    },
    listenToAll(listener) {
      toAll.add(listener);
      return () => toAll.delete(listener);
    },
    ended: follow(),
  };
}
