import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  Events,
  type NatsConnection,
} from 'nats';
import { bell } from '../../event-log/bell.ts';
import type { Log } from '../../postgres/log.ts';
import { orAborted } from './or-aborted.ts';

/** How NATS is reached. Files are PEM, but for the credentials, which are NATS's own `.creds`. */
export interface NatsAccess {
  /** One or more `nats://` or `tls://`, with `user:password@` or `token@` in the first, where they are asked for. */
  readonly urls: readonly string[];
  readonly credentialsFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const firstPauseMs = 100;
const longestPauseMs = 2_000;
const timeoutMs = 5_000;
const connectWithinMs = 8_000;
const closeWithinMs = 1_000;

/** What nats.js is told. Throws where a file cannot be read. */
export function natsOptions(access: NatsAccess, name: string): ConnectionOptions {
  const { urls, credentialsFile, caFile, certFile, keyFile } = access;
  const parsed = urls.map((url) => new URL(url));
  const first = parsed.find(({ username }) => username !== '');
  const user = first && decodeURIComponent(first.username);
  const pass = first && decodeURIComponent(first.password);
  const tls = parsed.some(({ protocol }) => protocol === 'tls:') || caFile || certFile;
  return {
    name,
    servers: parsed.map(({ host }) => host),
    ...(user === undefined ? {} : pass === '' ? { token: user } : { user, pass: pass ?? '' }),
    ...(credentialsFile === undefined
      ? {}
      : { authenticator: credsAuthenticator(readFileSync(credentialsFile)) }),
    ...(tls
      ? {
          tls: {
            ...(caFile === undefined ? {} : { caFile }),
            ...(certFile === undefined ? {} : { certFile }),
            ...(keyFile === undefined ? {} : { keyFile }),
          },
        }
      : {}),
    timeout: timeoutMs,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // Else a server that has lost its users for a moment ends the connection for good.
    ignoreAuthErrorAbort: true,
    // A stack for each question costs more than the question.
    noAsyncTraces: true,
    pingInterval: 2_000,
    maxPingOut: 2,
  };
}

/** A connection that comes back by itself, and tells when it is there: what is asked in between is never answered. */
export interface Nats {
  readonly connection: NatsConnection;
  /** Resolves when it is there, with a signal that aborts when it is lost again. Rejects when `signal` aborts. */
  up(signal: AbortSignal): Promise<AbortSignal>;
  close(): Promise<void>;
}

/** Connects, trying until it works or `signal` aborts. */
export async function connectNats(
  access: NatsAccess,
  { name, log, signal }: { readonly name: string; readonly log: Log; readonly signal: AbortSignal },
): Promise<Nats> {
  const options = natsOptions(access, name);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs))
    try {
      signal.throwIfAborted();
      return watched(await connectWithin(options, signal), log);
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ err: error }, 'NATS cannot be reached; trying again');
      await delay(pauseMs, undefined, { signal });
    }
}

/** A connection that breaks while it is made is one that nats.js may wait for, and for ever. */
async function connectWithin(
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const connecting = connect(options);
  const late = AbortSignal.any([signal, AbortSignal.timeout(connectWithinMs)]);
  try {
    return await orAborted(connecting, late);
  } catch (error) {
    connecting.then((unwanted) => unwanted.close()).catch(() => {});
    throw error;
  }
}

function watched(connection: NatsConnection, log: Log): Nats {
  let lost = new AbortController();
  const back = bell();
  const watch = async (): Promise<void> => {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) {
        log.warn({ server: data }, 'lost the connection to NATS');
        lost.abort(new Error('lost the connection to NATS'));
      }
      if (type === Events.Reconnect) {
        log.info({ server: data }, 'connected to NATS again');
        lost = new AbortController();
        back.ring();
      }
      if (type === Events.Error) log.warn({ reason: data }, 'NATS says that something is wrong');
    }
  };
  void watch();
  return {
    connection,
    async up(signal) {
      while (lost.signal.aborted) {
        await back.past(back.rings, longestPauseMs, signal);
        signal.throwIfAborted();
      }
      return lost.signal;
    },
    // While it is lost, nats.js may wait for ever for the end of a connection that there is not.
    close: () => Promise.race([connection.close(), delay(closeWithinMs)]),
  };
}
