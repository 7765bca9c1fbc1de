import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

/** One request exactly as told: no header is added but `Host` and, for a body, `Content-Length`. */
export function ask(url: string, path: string, asked: Asked = {}): Promise<Answer> {
  const { hostname: host, port } = new URL(url);
  const { body, method = 'GET' } = asked;
  const headers: OutgoingHttpHeaders = asked.headers ?? {};
  const length =
    body === undefined || 'Transfer-Encoding' in headers
      ? {}
      : { 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host,
        port,
        path,
        method,
        headers: { ...length, ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString();
          resolve({
            status: response.statusCode ?? 0,
            reason: response.statusMessage ?? '',
            headers: response.headers,
            bytes,
            text,
            json: () => JSON.parse(text),
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

export interface RawConnection {
  readonly socket: Socket;
  /** Everything that has come so far. */
  sofar(): string;
  /** Everything that came until the other side ended. */
  readonly rest: Promise<string>;
}

/** A bare connection, for requests that no client library would send. */
export async function rawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const chunks: Buffer[] = [];
  const sofar = (): string => Buffer.concat(chunks).toString('latin1');
  const rest = new Promise<string>((resolve) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const done = (): void => {
      resolve(sofar());
      socket.end();
    };
    socket.on('end', done).on('close', done).on('error', done);
  });
  return { socket, sofar, rest };
}
