import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A file of a server that is no friend. A test may change any of it between two requests, or within one. */
export interface HostileFile {
  bytes: Uint8Array;
  etag?: string | undefined;
  lastModified?: Date | undefined;
  /** Whether `Range` is heeded; default true. */
  ranges?: boolean;
  /** How much of an answer's body comes before the connection is broken; undefined for all of it. */
  breakAfter?: (request: IncomingMessage) => number | undefined;
  /** Headers in place of the honest ones; undefined takes one away. */
  lie?: (headers: OutgoingHttpHeaders, request: IncomingMessage) => OutgoingHttpHeaders;
  /** Answers in place of the file; true if it did. */
  instead?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Answers that it gives side by side; others are broken off without a byte. */
  mostAtOnce?: number;
  /** Bytes of a body, and what comes between them and the next; default all at once. */
  drip?: { readonly bytes: number; readonly everyMs: number };
}

export interface HostileServer {
  readonly port: number;
  readonly url: string;
  /** Serves a file under a path of its own, and gives its URL. */
  serve(file: HostileFile, name?: string): string;
  /** Answers a path of its own in any way. */
  answer(listener: RequestListener): string;
  /** What was asked for: path and range. */
  readonly requests: readonly string[];
  /** Of bodies, as far as they were handed to the system. */
  bytesServed(): number;
  /** How many connections there ever were. */
  connections(): number;
  /** Most answers of files that there were side by side. */
  mostAtOnce(): number;
  stop(): Promise<void>;
}

/** On loopback; speaks TLS where it is given a key. */
export async function startHostileServer(
  tls?: Readonly<{ key: string; cert: string }>,
): Promise<HostileServer> {
  const listeners = new Map<string, RequestListener>();
  const requests: string[] = [];
  const count = { bytes: 0, connections: 0, atOnce: 0, mostAtOnce: 0, paths: 0 };
  const dispatch: RequestListener = (request, response) => {
    requests.push([request.url, request.headers.range].filter(Boolean).join(' '));
    const listener = listeners.get(request.url ?? '');
    if (listener === undefined) response.writeHead(404).end();
    else listener(request, response);
  };
  const server = tls === undefined ? createServer(dispatch) : createSecureServer(tls, dispatch);
  server.keepAliveTimeout = 60_000;
  server.on('connection', () => {
    count.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;

  const place = (listener: RequestListener, name = 'file.img'): string => {
    count.paths += 1;
    const path = `/${count.paths}/${name}`;
    listeners.set(path, listener);
    return url + path;
  };

  return {
    port,
    url,
    requests,
    answer: (listener) => place(listener),
    serve: (file, name) =>
      place((request, response) => {
        count.atOnce += 1;
        count.mostAtOnce = Math.max(count.mostAtOnce, count.atOnce);
        response.on('close', () => {
          count.atOnce -= 1;
        });
        if (count.atOnce > (file.mostAtOnce ?? Number.POSITIVE_INFINITY))
          return void request.socket.destroy();
        if (file.instead?.(request, response) === true) return;
        give(file, request, response, (bytes) => {
          count.bytes += bytes;
        });
      }, name),
    bytesServed: () => count.bytes,
    connections: () => count.connections,
    mostAtOnce: () => count.mostAtOnce,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function give(
  file: HostileFile,
  request: IncomingMessage,
  response: ServerResponse,
  served: (bytes: number) => void,
): void {
  const { bytes, etag, lastModified } = file;
  const range = file.ranges === false ? undefined : rangeOf(file, request);
  if (range !== undefined && range.start >= bytes.length) {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
    return;
  }
  const body = range === undefined ? bytes : bytes.subarray(range.start, range.end);
  const honest = {
    'Content-Length': body.length,
    ...(etag === undefined ? {} : { ETag: etag }),
    ...(lastModified === undefined ? {} : { 'Last-Modified': lastModified.toUTCString() }),
    ...(range === undefined
      ? {}
      : { 'Content-Range': `bytes ${range.start}-${range.end - 1}/${bytes.length}` }),
  };
  const headers = file.lie?.(honest, request) ?? honest;
  response.writeHead(range === undefined ? 200 : 206, withoutUndefined(headers));
  const breakAt = file.breakAfter?.(request);
  const given = breakAt === undefined ? body : body.subarray(0, breakAt);
  const end = (): void => {
    if (breakAt === undefined || breakAt >= body.length) response.end();
    // What was written is on its way before the connection ends.
    else if (response.socket === null) response.destroy();
    else response.socket.destroySoon();
  };
  pour(given, file, response, served, end);
}

/** In pieces, as the reader takes them. */
function pour(
  bytes: Uint8Array,
  { drip }: HostileFile,
  response: ServerResponse,
  served: (bytes: number) => void,
  end: () => void,
): void {
  response.flushHeaders();
  const step = drip?.bytes ?? 64 * 1024;
  const from = (offset: number): void => {
    if (response.destroyed) return;
    if (offset >= bytes.length) {
      end();
      return;
    }
    const piece = bytes.subarray(offset, offset + step);
    const next = (): void => from(offset + piece.length);
    served(piece.length);
    const goesOn = response.write(piece);
    const later = (): void => {
      if (drip === undefined) setImmediate(next);
      else setTimeout(next, drip.everyMs);
    };
    if (goesOn) later();
    else response.once('drain', later);
  };
  from(0);
}

const withoutUndefined = (headers: OutgoingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));

/** As RFC 9110 has it, `If-Range` heeded. */
function rangeOf({ bytes, etag, lastModified }: HostileFile, { headers }: IncomingMessage) {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if (start === undefined) return undefined;
  const condition = headers['if-range'];
  const holds =
    condition === undefined ||
    (condition === etag && !condition.startsWith('W/')) ||
    condition === lastModified?.toUTCString();
  if (!holds) return undefined;
  const last = end === undefined || end === '' ? bytes.length : Number(end) + 1;
  return { start: Number(start), end: Math.min(last, bytes.length) };
}
