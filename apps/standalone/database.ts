import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';

export interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

const pauseMs = 200;

/** Keeps the embedded Postgres running: one that dies is started again, its URL stays the same. */
export async function keepPostgresRunning(
  dataDir: string,
  log: Logger,
  onPid: (pid: number | undefined) => void,
): Promise<Database> {
  const start = () => startEmbeddedPostgres({ dataDir, log });
  let current: EmbeddedPostgres = await start();
  let stopping = false;
  onPid(current.pid);

  const watch = async (): Promise<void> => {
    for (;;) {
      const ended = await current.exited;
      onPid(undefined);
      if (stopping) return;
      log.warn(ended, 'Postgres ended; it is started again');
      current = await startAgain();
      onPid(current.pid);
      if (stopping) await current.stop();
    }
  };
  const startAgain = async (): Promise<EmbeddedPostgres> => {
    for (;;) {
      try {
        return await start();
      } catch (error) {
        log.error({ err: error }, 'Postgres does not start');
        if (stopping) throw error;
        await delay(pauseMs);
      }
    }
  };
  const watching = watch();
  watching.catch((error) => log.error({ err: error }, 'Postgres is no longer watched'));

  return {
    url: current.url,
    async stop() {
      stopping = true;
      await current.stop();
      await watching;
    },
  };
}
