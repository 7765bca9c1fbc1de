import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type AddressGuard, hostOf } from '../net/address-guard.ts';
import type { Connections } from '../net/connections.ts';
import { guardedRequest } from '../net/guarded-request.ts';
import { networkFault } from './network-fault.ts';

/** Where a file is fetched from. */
export interface Source {
  readonly url: string;
  /** What the source itself needs to see, and no other host that it leads on to. Asked for before each request. */
  headers?(): Promise<OutgoingHttpHeaders>;
}

/** How the source is reached. */
export interface Reach {
  readonly guard: AddressGuard;
  /** Where none are given, each request has its own. */
  readonly connections?: Connections;
  /** Longest silence. */
  readonly stallMs: number;
}

export interface Reply {
  readonly response: IncomingMessage;
  /** Who answered, as messages name it. */
  readonly host: string;
  readonly url: URL;
}

/** One GET, redirects followed. Rejects with `Setback` or `SourceRefused`, or with the signal's reason. */
export async function get(
  source: Source,
  { guard, connections, stallMs }: Reach,
  headers: OutgoingHttpHeaders,
  signal: AbortSignal,
): Promise<Reply> {
  const own = source.headers === undefined ? {} : { ownHeaders: await source.headers() };
  try {
    const { response, url } = await guardedRequest(guard, source.url, {
      method: 'GET',
      headers,
      timeoutMs: stallMs,
      signal,
      ...own,
      ...(connections === undefined ? {} : { connections }),
    });
    return { response, url, host: hostOf(url) };
  } catch (error) {
    signal.throwIfAborted();
    throw networkFault(error, hostNamed(source.url));
  }
}

/** For messages: nothing of a URL but its host, since the rest may be a secret. */
export const hostNamed = (url: string): string =>
  URL.canParse(url) ? hostOf(new URL(url)) : 'the server';
