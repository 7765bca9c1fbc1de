import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of files on this machine, or of whatever a test makes of it. */
export interface FileServer {
  readonly url: string;
  readonly port: number;
  /** Serves bytes under a path, with ranges; gives their URL. */
  put(path: string, bytes: Uint8Array): string;
  /** Answers a path in another way; gives its URL. */
  answer(path: string, listener: RequestListener): string;
  remove(path: string): void;
  /** `METHOD path range`, in the order in which they came. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

export async function startFileServer(): Promise<FileServer> {
  const listeners = new Map<string, RequestListener>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push([request.method, request.url, request.headers.range].filter(Boolean).join(' '));
    const listener = listeners.get(request.url ?? '');
    if (listener !== undefined) listener(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const answer = (path: string, listener: RequestListener): string => {
    listeners.set(path, listener);
    return `${url}${path}`;
  };
  return {
    url,
    port,
    requests,
    answer,
    put: (path, bytes) => answer(path, serving(bytes)),
    remove: (path) => {
      listeners.delete(path);
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** As a good web server does it. */
export const serving =
  (bytes: Uint8Array): RequestListener =>
  (request, response) => {
    const range = rangeOf(request, bytes.length);
    const part = range === undefined ? bytes : bytes.subarray(range.start, range.end + 1);
    if (range !== undefined && range.start >= bytes.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}` }).end();
      return;
    }
    response.writeHead(range === undefined ? 200 : 206, {
      'Content-Length': part.length,
      'Accept-Ranges': 'bytes',
      ...(range === undefined
        ? {}
        : { 'Content-Range': `bytes ${range.start}-${range.end}/${bytes.length}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : part);
  };

function rangeOf(request: IncomingMessage, size: number) {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), end: Math.min(end === '' ? size : Number(end), size - 1) };
}
