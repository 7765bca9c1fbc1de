import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { errorBody, reasonPhrase } from './error-body.ts';

/** Longer than clients and load balancers keep an idle connection, so that they close it and never race with us. */
const keepAliveTimeoutMs = 90_000;
const headersTimeoutMs = 60_000;
const maxHeaderBytes = 32 * 1024;

export interface GatewayServer {
  /** Gives the port, which for port 0 is a free one. */
  listen(port: number, host: string): Promise<number>;
  /** Accepts nothing new and gives requests that run `graceMs` to end, then calls `hurry` and gives them as long again. */
  stop(graceMs: number, hurry: () => void): Promise<void>;
}

/** The HTTP server around the application. A request may take for ever: uploads do. */
export function gatewayServer(application: RequestListener, log: Logger): GatewayServer {
  let stopping = false;
  const handle: RequestListener = (request, response) => {
    response.on('error', () => {}); // whoever writes is told by its own callback
    if (stopping) response.setHeader('Connection', 'close');
    application(request, response);
  };
  const server = createServer(
    {
      requestTimeout: 0,
      headersTimeout: headersTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
      keepAlive: true, // finds peers that vanished without a word
    },
    handle,
  );
  server.on('checkContinue', handle);
  server.on('clientError', answerUnreadable);
  server.on('connect', (_request, socket) => {
    socket.on('error', () => {}).once('finish', () => socket.destroy());
    answerRaw(socket, 501, 'The method CONNECT is not implemented.');
  });
  return {
    async listen(port, host) {
      server.listen(port, host);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    async stop(graceMs, hurry) {
      stopping = true;
      const closed = new Promise((resolve) => server.close(resolve));
      if (await within(closed, graceMs)) return;
      hurry();
      if (await within(closed, graceMs)) return;
      log.warn('requests are cut off: the gateway stops');
      server.closeAllConnections();
      await closed;
    },
  };
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = new AbortController();
  const done = promise.then(() => true);
  const timeout = delay(ms, false, { signal: late.signal }).catch(() => false);
  return Promise.race([done, timeout]).finally(() => late.abort());
}

interface UnreadableError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
  /** Where in the packet it became unreadable. */
  readonly bytesParsed?: number;
}

/** Answers what Node's parser could not read, as far as the connection still can. */
function answerUnreadable(error: UnreadableError, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  if (error.code === 'HPE_HEADER_OVERFLOW')
    answerRaw(socket, 431, 'The headers of the request are too large.');
  else if (error.code === 'HPE_INVALID_METHOD' && isRequestLine(error))
    answerRaw(socket, 501, 'The method of the request is not implemented.');
  else answerRaw(socket, 400, 'The request cannot be read.');
}

/** Node's parser gives the same error for a method that it does not know and for what is no HTTP at all. */
function isRequestLine({ rawPacket, bytesParsed = 0 }: UnreadableError): boolean {
  const text = rawPacket?.toString('latin1') ?? '';
  const line = text.slice(text.lastIndexOf('\n', bytesParsed) + 1);
  return /^[!#$%&'*+.^_`|~\w-]+ \S+ HTTP\/1\.[01]\r?\n/.test(line);
}

/** Answers on a connection whose request never became one, and ends it. */
function answerRaw(socket: Duplex, status: number, message: string): void {
  const { text, type } = errorBody(status, message, undefined);
  socket.end(
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nConnection: close\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
