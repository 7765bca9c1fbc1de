import type { ServerResponse } from 'node:http';

/** The client takes nothing any more. */
export class Stalled extends Error {
  constructor(ms: number) {
    super(`the client has taken nothing for ${ms} ms`);
    this.name = 'Stalled';
  }
}

/**
 * Writes as fast as the client reads and keeps no more than the socket does: resolves when there is room for more, or
 * when the signal aborts. Rejects with `Stalled` when that takes longer than `stallMs`.
 */
export function writeTo(
  response: ServerResponse,
  text: string,
  stallMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || response.write(text)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      settle();
    };
    const done = (): void => end(resolve);
    const timer = setTimeout(() => end(() => reject(new Stalled(stallMs))), stallMs);
    response.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
