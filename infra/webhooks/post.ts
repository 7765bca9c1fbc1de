import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIPv6, type LookupFunction } from 'node:net';
import { type AddressGuard, HostUnknown, UrlRefused } from '../net/address-guard.ts';

/** What became of one request. */
export interface Posted {
  /** Null when there was no answer. */
  readonly status: number | null;
  /** Why there was none, for people. */
  readonly error: string | null;
  /** What the answer's `Retry-After` asks for. */
  readonly retryAfterMs: number | null;
}

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Posts to URLs that strangers chose. */
export interface Poster {
  /** Rejects with `UrlRefused` or `HostUnknown` where nothing would be sent to. */
  admit(url: string): Promise<void>;
  /** Never rejects. A redirect is an answer like another, and no body is read further than to keep the connection. */
  post(url: string, message: Message): Promise<Posted>;
  /** Ends connections that wait for their next use. */
  close(): void;
}

export interface PosterOptions {
  readonly guard: AddressGuard;
  /** Http as well as https. */
  readonly allowHttp: boolean;
  /** Longest wait for an answer, looking up the host and connecting included. */
  readonly timeoutMs: number;
  /** Certificate authorities to believe beside the usual ones, as PEM. */
  readonly ca?: string;
}

const mostBodyBytes = 64 * 1024;
const idleMs = 30_000;
/** How many kept connections can turn out to have been closed, one after the other. */
const mostStale = 3;

/**
 * Every new connection asks the guard for the addresses of its host and takes one that was let through; a connection that
 * is kept leads to such a one already, whatever DNS says by now.
 */
export function webhookPoster({ guard, allowHttp, timeoutMs, ca }: PosterOptions): Poster {
  const kept = { keepAlive: true, timeout: idleMs, scheduling: 'lifo' } as const;
  const http = new HttpAgent(kept);
  const https = new HttpsAgent(ca === undefined ? kept : { ...kept, ca });

  const examine = (text: string): URL => {
    const url = guard.examine(text);
    if (url.protocol === 'https:' || allowHttp) return url;
    throw new UrlRefused('only https is allowed');
  };

  const send = (url: URL, text: string, { headers, body }: Message, stale: number) =>
    new Promise<Posted>((resolve, reject) => {
      const isHttps = url.protocol === 'https:';
      const sent = (isHttps ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        headers: {
          ...headers,
          'Content-Length': Buffer.byteLength(body),
          'User-Agent': 'Daguerre',
          'Accept-Encoding': 'identity',
        },
        agent: isHttps ? https : http,
        lookup: guardedLookup(guard, text),
      });
      const late = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      sent.once('close', () => clearTimeout(late));
      sent.on('response', (response) => {
        drain(response);
        const { statusCode, headers: answered } = response;
        const retryAfterMs = retryAfterFrom(answered['retry-after'], Date.now());
        resolve({ status: statusCode ?? null, error: null, retryAfterMs });
      });
      sent.on('error', (error) => {
        const { code } = error as NodeJS.ErrnoException;
        const wasClosed = sent.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
        if (wasClosed && stale < mostStale)
          send(url, text, { headers, body }, stale + 1).then(resolve, reject);
        else reject(error);
      });
      sent.end(body);
    });

  return {
    async admit(text) {
      examine(text);
      await guard.admit(text);
    },
    async post(text, message) {
      try {
        return await send(examine(text), text, message, 0);
      } catch (error) {
        return { status: null, error: reason(error), retryAfterMs: null };
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

/** So that the connection can be used again; an endless answer ends it. */
function drain(response: IncomingMessage): void {
  let bytes = 0;
  response.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > mostBodyBytes) response.destroy();
  });
  response.on('error', () => {});
}

const guardedLookup =
  (guard: AddressGuard, text: string): LookupFunction =>
  (_, { all }, answer) => {
    guard.admit(text).then(
      ({ addresses }) => {
        const known = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
        const [first = { address: '', family: 4 }] = known;
        if (all) answer(null, known);
        else answer(null, first.address, first.family);
      },
      (error: Error) => answer(error, ''),
    );
  };

/** Seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterFrom(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

/** Without addresses: they are not for everybody who may read of the attempt. */
function reason(error: unknown): string {
  if (error instanceof UrlRefused || error instanceof HostUnknown) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `the connection failed: ${code}`;
}
