import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Reply, replyTo } from './reply.ts';

export interface Asked {
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as it is; with a `Transfer-Encoding` header in chunks, else with its length. */
  readonly body?: string | Uint8Array;
}

const patienceMs = 60_000;
const shownBody = 400;

/**
 * One request on a connection of its own, exactly as told: no header is added but `Host` and, for a body, its length.
 * `path` goes behind the base's own path, undecoded.
 */
export function exchange(
  base: string,
  method: string,
  path: string,
  asked: Asked = {},
): Promise<Reply> {
  const url = new URL(base);
  const { body } = asked;
  const length =
    body === undefined || 'Transfer-Encoding' in (asked.headers ?? {})
      ? {}
      : { 'Content-Length': Buffer.byteLength(body) };
  const headers = { ...length, ...asked.headers };
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const told = describe(method, path, headers, body);
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`${told}\n${error.message}`, { cause: error }));
    const sent = request(
      {
        host: url.hostname,
        port: url.port,
        path: `${url.pathname.replace(/\/$/, '')}${path}`,
        method,
        headers,
        agent: false,
        timeout: patienceMs,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', failed);
        response.on('end', () => {
          const { statusCode = 0, headers: received } = response;
          resolve(replyTo(told, statusCode, received satisfies IncomingHttpHeaders, chunks));
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${patienceMs / 1000} s`)));
    sent.on('error', failed);
    sent.end(body);
  });
}

/** For a reader who wants to send it again; without the token. */
function describe(
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
  body: string | Uint8Array | undefined,
): string {
  const shown = Object.entries(headers)
    .filter(([name]) => name !== 'X-Auth-Token' && name !== 'Content-Length')
    .map(([name, value]) => `${name}: ${value}`);
  const payload =
    body === undefined
      ? []
      : [typeof body === 'string' ? body.slice(0, shownBody) : `(${body.length} bytes)`];
  return [`${method} ${path}`, ...shown, ...payload].join('\n');
}
