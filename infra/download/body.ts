import type { IncomingMessage } from 'node:http';
import { networkFault } from './network-fault.ts';
import type { Reply } from './source.ts';

/** No silence may last longer; and what trickles in slower than `leastBytes` in that time is silence, too. */
export interface Stall {
  readonly stallMs: number;
  readonly leastBytes: number;
}

class Stalled extends Error {
  constructor({ stallMs, leastBytes }: Stall) {
    super(`sent less than ${leastBytes} bytes in ${stallMs / 1000} s`);
    this.name = 'Stalled';
  }
}

/**
 * The chunks of a response, up to the end that it says or has. Only time spent waiting for the server counts as silence,
 * so the reader may be as slow as it likes. Rejects with `Setback` where the response breaks or stalls.
 */
export async function* bodyOf({ response, host }: Reply, stall: Stall): AsyncGenerator<Buffer> {
  // From here on silence is judged here: a reader that pauses is no reason to hang up.
  response.setTimeout(0);
  let waitedMs = 0;
  let received = 0;
  try {
    for (;;) {
      const since = performance.now();
      const chunk = await nextChunk(response, stall, stall.stallMs - waitedMs).catch((error) => {
        throw networkFault(error, host);
      });
      if (chunk === null) return;
      waitedMs += performance.now() - since;
      received += chunk.length;
      if (received >= stall.leastBytes) [waitedMs, received] = [0, 0];
      yield chunk;
    }
  } finally {
    if (!response.readableEnded) response.destroy();
  }
}

/** Null at the end. */
async function nextChunk(
  response: IncomingMessage,
  stall: Stall,
  withinMs: number,
): Promise<Buffer | null> {
  for (;;) {
    const chunk: Buffer | null = response.read();
    if (chunk !== null) return chunk;
    if (response.readableEnded && response.complete) return null;
    if (isOver(response))
      throw response.errored ?? Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    await something(response, stall, withinMs);
  }
}

const isOver = (response: IncomingMessage): boolean =>
  response.readableEnded || response.destroyed || response.errored !== null;

/** Resolves when there are bytes, or will be none any more. */
function something(response: IncomingMessage, stall: Stall, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      for (const event of events) response.off(event, happened);
      outcome();
    };
    const happened = (): void => settle(resolve);
    const timer = setTimeout(() => settle(() => reject(new Stalled(stall))), Math.max(0, withinMs));
    for (const event of events) response.on(event, happened);
  });
}

const events = ['readable', 'end', 'close', 'error'] as const;
