import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type KeptServer, keepServerRunning } from './keep-server.ts';

/** Keeps the embedded Postgres running: one that dies is started again, its URL stays the same. */
export const keepPostgresRunning = (
  dataDir: string,
  log: Logger,
  onPid: (pid: number | undefined) => void,
  start: (signal: AbortSignal) => Promise<EmbeddedPostgres> = (signal) =>
    startEmbeddedPostgres({ dataDir, log, signal }),
): Promise<KeptServer> => keepServerRunning({ name: 'Postgres', log, onPid, start });
