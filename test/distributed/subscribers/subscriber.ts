import { setTimeout as delay } from 'node:timers/promises';

/** A document as an integrator got it. */
export interface Heard {
  readonly id: string;
  readonly subject: string;
  readonly position: bigint;
  readonly document: Readonly<Record<string, unknown>>;
}

/** Somebody outside who is told everything, and was told all along. */
export interface Subscriber {
  readonly kind: 'JetStream' | 'SSE' | 'pages' | 'webhook';
  /** All that came, in the order in which it came, repeats too. */
  readonly heard: readonly Heard[];
  /** What it is promised: everything in the order of the log, or that of each image. */
  readonly order: 'of the log' | 'of each image';
  /** How often it was cut off, or refused, and came again. */
  interruptions(): number;
  stop(): Promise<void>;
}

export function heardOf(document: Readonly<Record<string, unknown>>): Heard {
  const { id, subject, position } = document as { id: string; subject: string; position: string };
  return { id, subject, position: BigInt(position), document };
}

const pauseMs = 50;

/** Does a step again and again until it is stopped; a step that fails is tried again. */
export function persistently(step: (signal: AbortSignal) => Promise<void>) {
  const stopping = new AbortController();
  const { signal } = stopping;
  let failures = 0;
  const run = async (): Promise<void> => {
    while (!signal.aborted)
      try {
        await step(signal);
      } catch {
        if (signal.aborted) return;
        failures += 1;
        await delay(pauseMs, undefined, { signal }).catch(() => {});
      }
  };
  const running = run();
  return {
    failures: (): number => failures,
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}
