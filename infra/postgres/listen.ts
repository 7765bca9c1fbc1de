import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from './log.ts';

export interface ListenOptions {
  readonly log: Log;
  /** At each (re)connection, once it listens: what was notified before is lost, so look. */
  readonly onConnect?: () => void;
  readonly onLost?: () => void;
}

export interface Listener {
  close(): Promise<void>;
}

const firstRetryMs = 50;
const lastRetryMs = 1_000;

/** Listens on a connection of its own, for ever, connecting again whenever that is lost. */
export function listener(
  url: string,
  channels: readonly string[],
  onNotify: (channel: string, payload: string) => void,
  options: ListenOptions,
): Listener {
  const closing = new AbortController();

  const listenOnce = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'daguerre listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    client.on('notification', ({ channel, payload = '' }) => onNotify(channel, payload));
    const end = () => void client.end().catch(() => undefined);
    try {
      await client.connect();
      closing.signal.addEventListener('abort', end);
      for (const channel of channels)
        await client.query(`listen ${client.escapeIdentifier(channel)}`);
      if (closing.signal.aborted) return;
      options.onConnect?.();
      await ended;
    } finally {
      closing.signal.removeEventListener('abort', end);
      await client.end().catch(() => undefined);
    }
  };

  const listenForEver = async (): Promise<void> => {
    let retryMs = firstRetryMs;
    while (!closing.signal.aborted) {
      const began = Date.now();
      const reason = await listenOnce().catch((error: unknown) => error);
      if (closing.signal.aborted) return;
      options.onLost?.();
      options.log.warn({ err: reason, channels }, 'lost the connection that listens; trying again');
      retryMs =
        Date.now() - began > lastRetryMs ? firstRetryMs : Math.min(2 * retryMs, lastRetryMs);
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };

  const listening = listenForEver();
  return {
    close: () => {
      closing.abort();
      return listening;
    },
  };
}
