import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';

export interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

const shortestPauseMs = 200;
const longestPauseMs = 5_000;
/** A Postgres that ran for this long did not end of its start. */
const settledAfterMs = 2_000;

/** Keeps the embedded Postgres running: one that dies is started again, its URL stays the same. */
export async function keepPostgresRunning(
  dataDir: string,
  log: Logger,
  onPid: (pid: number | undefined) => void,
  start: (signal: AbortSignal) => Promise<EmbeddedPostgres> = (signal) =>
    startEmbeddedPostgres({ dataDir, log, signal }),
): Promise<Database> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let current: EmbeddedPostgres = await start(signal);
  let pauseMs = shortestPauseMs;

  /** What others make of it must not end our care for it. */
  const tell = (pid: number | undefined): void => {
    try {
      onPid(pid);
    } catch (error) {
      log.error({ err: error }, 'what becomes of Postgres could not be told');
    }
  };

  const pause = async (): Promise<void> => {
    await delay(pauseMs, undefined, { signal }).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  };

  /** Undefined when it was asked to stop first. */
  const startAgain = async (): Promise<EmbeddedPostgres | undefined> => {
    while (!signal.aborted)
      try {
        return await start(signal);
      } catch (error) {
        if (!signal.aborted) log.error({ err: error }, 'Postgres does not start; trying again');
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
      log.warn(ended, 'Postgres ended; it is started again');
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
