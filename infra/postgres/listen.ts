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

interface Subscriber extends ListenOptions {
  readonly channels: readonly string[];
  readonly onNotify: (channel: string, payload: string) => void;
}

interface Hub {
  add(subscriber: Subscriber): void;
  /** Resolves once nothing of the subscriber is left. */
  remove(subscriber: Subscriber): Promise<void>;
}

const firstRetryMs = 50;
const lastRetryMs = 1_000;

/** By url. A notification wakes every connection that listens, whatever it listens to: each process has one. */
const hubs = new Map<string, Hub>();

/** Listens for ever, connecting again whenever the connection is lost, which all listeners of this process to one server share. */
export function listener(
  url: string,
  channels: readonly string[],
  onNotify: (channel: string, payload: string) => void,
  options: ListenOptions,
): Listener {
  const subscriber = { ...options, channels, onNotify };
  const hub = hubs.get(url) ?? hubOf(url);
  hubs.set(url, hub);
  hub.add(subscriber);
  return { close: () => hub.remove(subscriber) };
}

function hubOf(url: string): Hub {
  const closing = new AbortController();
  const subscribers = new Set<Subscriber>();
  /** Of the connection that listens now: brings in who has come since. */
  let attend: ((subscriber: Subscriber) => void) | undefined;

  const listenOnce = async (): Promise<void> => {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'daguerre listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    client.on('notification', ({ channel, payload = '' }) => {
      for (const { channels, onNotify } of subscribers)
        if (channels.includes(channel)) onNotify(channel, payload);
    });
    const end = () => void client.end().catch(() => undefined);
    const listened = new Set<string>();
    const bringIn = async (subscriber: Subscriber): Promise<void> => {
      for (const channel of subscriber.channels) {
        if (listened.has(channel)) continue;
        await client.query(`listen ${client.escapeIdentifier(channel)}`);
        listened.add(channel);
      }
      if (!closing.signal.aborted && subscribers.has(subscriber)) subscriber.onConnect?.();
    };
    try {
      await client.connect();
      closing.signal.addEventListener('abort', end);
      let last = Promise.resolve();
      attend = (subscriber) => {
        last = last.then(() => bringIn(subscriber)).catch(end);
      };
      for (const subscriber of subscribers) attend(subscriber);
      if (closing.signal.aborted) return;
      await ended;
    } finally {
      attend = undefined;
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
      for (const { onLost } of subscribers) onLost?.();
      const [first] = subscribers;
      const channels = [...new Set([...subscribers].flatMap((one) => one.channels))];
      first?.log.warn({ err: reason, channels }, 'lost the connection that listens; trying again');
      retryMs =
        Date.now() - began > lastRetryMs ? firstRetryMs : Math.min(2 * retryMs, lastRetryMs);
      await delay(retryMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };

  let listening: Promise<void> | undefined;

  return {
    add(subscriber) {
      subscribers.add(subscriber);
      if (listening === undefined) listening = listenForEver();
      else attend?.(subscriber);
    },
    async remove(subscriber) {
      subscribers.delete(subscriber);
      if (subscribers.size > 0) return;
      hubs.delete(url);
      closing.abort();
      await listening;
    },
  };
}
