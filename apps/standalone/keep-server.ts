import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../infra/telemetry/logger.ts';

/** A server that runs. */
interface Started {
  /** The same at each start. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly exited: Promise<object>;
  stop(): Promise<void>;
}

export interface KeptServer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface KeptServerOptions {
  /** As people call it. */
  readonly name: string;
  readonly log: Logger;
  /** At each start and end, with its id while it lives. */
  onPid(pid: number | undefined): void;
  start(signal: AbortSignal): Promise<Started>;
}

const shortestPauseMs = 200;
const longestPauseMs = 5_000;
/** A server that ran for this long did not end of its start. */
const settledAfterMs = 2_000;

/** Keeps a server running: one that dies is started again. Rejects when it does not start at first. */
export async function keepServerRunning({
  name,
  log,
  onPid,
  start,
}: KeptServerOptions): Promise<KeptServer> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let current = await start(signal);
  let pauseMs = shortestPauseMs;

  /** What others make of it must not end our care for it. */
  const tell = (pid: number | undefined): void => {
    try {
      onPid(pid);
    } catch (error) {
      log.error({ err: error }, `what becomes of ${name} could not be told`);
    }
  };

  const pause = async (): Promise<void> => {
    await delay(pauseMs, undefined, { signal }).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  };

  /** Undefined when it was asked to stop first. */
  const startAgain = async (): Promise<Started | undefined> => {
    while (!signal.aborted)
      try {
        return await start(signal);
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, `${name} does not start; trying again`);
        await pause();
      }
    return undefined;
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      tell(current.pid);
      const began = performance.now();
      const ended = await current.exited;
      tell(undefined);
      if (signal.aborted) return;
      log.warn(ended, `${name} ended; it is started again`);
      if (performance.now() - began > settledAfterMs) pauseMs = shortestPauseMs;
      else await pause();
      const next = await startAgain();
      if (next === undefined) return;
      current = next;
      if (signal.aborted) await current.stop();
    }
  };
  const watching = watch();

  return {
    url: current.url,
    async stop() {
      stopping.abort();
      await current.stop();
      await watching;
    },
  };
}
