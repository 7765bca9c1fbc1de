import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../infra/telemetry/logger.ts';

/** What a running tree says of itself in `running.json` of its data directory, for operators and their tools. */
export interface Running {
  readonly pid: number;
  readonly url: string | null;
  /** Of all gateways, that one first; none until all listen. */
  readonly urls: readonly string[];
  readonly postgresUrl: string;
  /** Where the bus and the queue are, ours or others'; null where there is none. */
  readonly natsUrl: string | null;
  readonly redisUrl: string | null;
  /** Process ids by part, of those that live: `worker`, `worker-2` ... */
  readonly parts: Readonly<Record<string, number>>;
}

type Urls = Omit<Running, 'pid' | 'parts'>;

const fileIn = (dataDir: string): string => join(dataDir, 'running.json');

const retryMs = 1_000;

/** Keeps the file true, as soon as the disk lets it; readers never see half of it. */
export function runningFile(dataDir: string, log: Logger) {
  const file = fileIn(dataDir);
  const parts = new Map<string, number>();
  let rest: Urls = { url: null, urls: [], postgresUrl: '', natsUrl: null, redisUrl: null };
  let closed = false;
  let retry: NodeJS.Timeout | undefined;
  const write = (): void => {
    if (closed) return;
    const running: Running = { pid: process.pid, ...rest, parts: Object.fromEntries(parts) };
    const isRetry = retry !== undefined;
    clearTimeout(retry);
    retry = undefined;
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(running, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      if (!isRetry) log.warn({ err: error, file }, 'cannot be written; trying again');
      retry = setTimeout(write, retryMs).unref();
    }
  };
  return {
    setPart(name: string, pid: number | undefined): void {
      if (pid === undefined) parts.delete(name);
      else parts.set(name, pid);
      write();
    },
    setUrls(urls: Partial<Urls>): void {
      rest = { ...rest, ...urls };
      write();
    },
    remove(): void {
      closed = true;
      clearTimeout(retry);
      rmSync(file, { force: true });
    },
  };
}

/** Undefined when nothing runs there, or the process that wrote the file is gone. */
export function readRunning(dataDir: string): Running | undefined {
  try {
    const running = JSON.parse(readFileSync(fileIn(dataDir), 'utf8')) as Running;
    process.kill(running.pid, 0);
    return running;
  } catch {
    return undefined;
  }
}
