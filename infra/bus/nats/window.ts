/** Calls under way, at most `size`, whose answers are awaited in the order in which they were begun. */
export interface Window {
  /** Begins a call when there is room. Rejects as soon as an earlier call has: nothing more is begun then. */
  add(call: () => Promise<void>): Promise<void>;
  /** Until every answer has come. */
  drained(): Promise<void>;
}

/** When `signal` aborts, nobody waits for an answer any more. */
export function window(size: number, signal: AbortSignal): Window {
  const waiting: Promise<void>[] = [];
  return {
    async add(call) {
      while (waiting.length >= size) await orAborted(waiting.shift(), signal);
      signal.throwIfAborted();
      const answer = call();
      // Awaited in turn; until then its failure is not unhandled.
      answer.catch(() => {});
      waiting.push(answer);
    },
    async drained() {
      while (waiting.length > 0) await orAborted(waiting.shift(), signal);
    },
  };
}

/** Rejects with the signal's reason when that is first. */
export function orAborted<Value>(
  promise: Promise<Value> | undefined,
  signal: AbortSignal,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(promise)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
