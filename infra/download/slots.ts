/** How many connections this process may have to one host at a time. */
export interface HostSlots {
  /** Waits for one; gives what returns it. Rejects with the signal's reason. */
  take(host: string, signal: AbortSignal): Promise<() => void>;
  /** Undefined where none is free at once. */
  tryTake(host: string): (() => void) | undefined;
}

interface Queue {
  used: number;
  readonly waiting: Set<() => void>;
}

export function hostSlots(perHost: number): HostSlots {
  const hosts = new Map<string, Queue>();
  const queueOf = (host: string): Queue => {
    const queue = hosts.get(host) ?? { used: 0, waiting: new Set() };
    hosts.set(host, queue);
    return queue;
  };

  const taken = (host: string, queue: Queue): (() => void) => {
    queue.used += 1;
    let isReturned = false;
    return () => {
      if (isReturned) return;
      isReturned = true;
      queue.used -= 1;
      const [next] = queue.waiting;
      if (next !== undefined) next();
      else if (queue.used === 0) hosts.delete(host);
    };
  };

  const tryTake = (host: string): (() => void) | undefined => {
    const queue = queueOf(host);
    return queue.used < perHost && queue.waiting.size === 0 ? taken(host, queue) : undefined;
  };

  return {
    tryTake,
    take(host, signal) {
      signal.throwIfAborted();
      const free = tryTake(host);
      if (free !== undefined) return Promise.resolve(free);
      const queue = queueOf(host);
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          queue.waiting.delete(mine);
          signal.removeEventListener('abort', stop);
        };
        const mine = (): void => {
          settle();
          resolve(taken(host, queue));
        };
        const stop = (): void => {
          settle();
          reject(signal.reason);
        };
        queue.waiting.add(mine);
        signal.addEventListener('abort', stop);
      });
    },
  };
}
