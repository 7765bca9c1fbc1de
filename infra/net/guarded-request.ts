import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { errorCode } from '../files/files.ts';
import { type AddressGuard, type Admitted, UrlRefused } from './address-guard.ts';
import type { Connections } from './connections.ts';

export interface GuardedAsk {
  readonly method: 'GET' | 'HEAD';
  readonly headers?: OutgoingHttpHeaders;
  /** Sent to the URL's own origin only, and not to where it leads on to. */
  readonly ownHeaders?: OutgoingHttpHeaders;
  /** Where none are given, each request has its own. */
  readonly connections?: Connections;
  /** Longest wait for an answer of each hop, and longest silence in its body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface GuardedAnswer {
  /** Consume or destroy it. Errors, too, when nothing came for `timeoutMs`. */
  readonly response: IncomingMessage;
  readonly status: number;
  /** Who answered, after all redirects. */
  readonly url: URL;
}

const mostRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** How many kept connections can turn out to have been closed, one after the other. */
const mostStale = 3;

/** What a redirect says besides is read so far, that its connection may be kept. */
const mostAsideBytes = 64 * 1024;

/**
 * A request to a URL that a stranger chose. Every hop passes the guard, and goes to an address that the guard has seen:
 * DNS is not asked again. Nothing of ours is sent along. Rejects with `UrlRefused` or with an error of the network.
 */
export async function guardedRequest(
  guard: AddressGuard,
  text: string,
  ask: GuardedAsk,
): Promise<GuardedAnswer> {
  let at = text;
  let own: string | undefined;
  for (let hops = 0; hops <= mostRedirects; hops++) {
    const to = await admitted(guard, at, ask);
    own ??= to.url.origin;
    const { ownHeaders, ...rest } = ask;
    const isOwn = ownHeaders !== undefined && to.url.origin === own;
    const headers = isOwn ? { ...ask.headers, ...ownHeaders } : (ask.headers ?? {});
    const response = await answeredAtLast(to, { ...rest, headers });
    const { location } = response.headers;
    const status = response.statusCode ?? 0;
    if (!redirects.has(status) || location === undefined) return { response, status, url: to.url };
    leave(response);
    at = nextHop(location, at);
  }
  throw new UrlRefused(`the URL leads on more than ${mostRedirects} times`);
}

/** A short answer is read to its end, for the sake of its connection. */
function leave(response: IncomingMessage): void {
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  if (length <= mostAsideBytes) response.resume();
  else response.destroy();
}

/** As it was written where it is absolute: the guard has to see how a host is spelt. */
function nextHop(location: string, from: string): string {
  if (/^[a-z][a-z\d+.-]*:/i.test(location)) return location;
  if (!URL.canParse(location, from)) throw new UrlRefused('the URL leads on to none that is valid');
  return location.startsWith('//')
    ? new URL(from).protocol + location
    : new URL(location, from).href;
}

async function admitted(
  guard: AddressGuard,
  text: string,
  { timeoutMs, signal }: GuardedAsk,
): Promise<Admitted> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('DNS does not answer')), timeoutMs);
  });
  return Promise.race([guard.admit(text), late]).finally(() => clearTimeout(timer));
}

/** A kept connection that the other side has closed meanwhile says nothing of the other side. */
async function answeredAtLast(to: Admitted, ask: GuardedAsk): Promise<IncomingMessage> {
  for (let stale = 0; ; stale++) {
    try {
      return await answered(to, ask);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      if (stale === mostStale) throw error.cause;
    }
  }
}

class StaleConnection extends Error {}

const closedMeanwhile: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE']);

function answered(
  { url, addresses }: Admitted,
  { method, headers, timeoutMs, signal, connections }: GuardedAsk,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method,
        headers: { 'Accept-Encoding': 'identity', 'User-Agent': 'Daguerre', ...headers },
        agent: connections?.agentFor({ url, addresses }) ?? false,
        lookup: pinned(addresses),
        timeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        clearTimeout(late);
        // Whoever reads it sees that it is destroyed; between two reads nobody listens.
        response.on('error', () => {});
        resolve(response);
      },
    );
    const late = setTimeout(() => sent.destroy(new Error('no answer in time')), timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(late);
      const isStale = sent.reusedSocket && closedMeanwhile.has(errorCode(error));
      reject(isStale ? new StaleConnection('closed meanwhile', { cause: error }) : error);
    });
    sent.on('timeout', () => sent.destroy(new Error(`silent for ${timeoutMs} ms`)));
    sent.end();
  });
}

/** Gives what the guard has seen, whatever DNS would say by now. */
const pinned =
  (addresses: readonly string[]): LookupFunction =>
  (_, { all }, answer) => {
    const known = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    const [first = { address: '', family: 4 }] = known;
    if (all) answer(null, known);
    else answer(null, first.address, first.family);
  };
