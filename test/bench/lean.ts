import { connect, type Socket } from 'node:net';

/** Resolves with the whole body. Rejects on a status other than the expected. */
export type Ask = (
  status: number,
  method: string,
  path: string,
  body?: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<Buffer>;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly stays: boolean;
}

interface Connection {
  readonly socket: Socket;
  waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  received: Buffer;
}

const nothing = Buffer.alloc(0);
const endOfHead = Buffer.from('\r\n\r\n');

/**
 * A client for small requests that needs a fraction of the time of Node's own: where it shares the cores with the server, it must
 * not be what is measured. As many kept connections as there are requests at once, one request at a time on each.
 */
export function leanClient(url: string, always: Readonly<Record<string, string>>) {
  const { hostname, port, pathname, host } = new URL(url);
  const base = pathname.replace(/\/$/, '');
  const usual = headLines({ Host: host, ...always });
  const idle: Connection[] = [];
  const all = new Set<Connection>();

  const open = (): Connection => {
    const socket = connect({ host: hostname, port: Number(port || 80), noDelay: true });
    const connection: Connection = { socket, waiting: undefined, received: nothing };
    all.add(connection);
    const gone = (error: Error): void => {
      all.delete(connection);
      if (idle.includes(connection)) idle.splice(idle.indexOf(connection), 1);
      connection.waiting?.reject(error);
      connection.waiting = undefined;
    };
    socket.on('error', gone);
    socket.on('close', () => gone(new Error(`${host} ended the connection without an answer`)));
    socket.on('data', (piece) => {
      const { received } = connection;
      connection.received = received.length === 0 ? piece : Buffer.concat([received, piece]);
      const answer = answerIn(connection.received);
      if (answer === undefined) return;
      connection.received = nothing;
      const { waiting } = connection;
      connection.waiting = undefined;
      if (answer.stays) idle.push(connection);
      else socket.destroy();
      waiting?.resolve(answer);
    });
    return connection;
  };

  const ask: Ask = async (status, method, path, body, headers = {}) => {
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${base}${path} HTTP/1.1\r\n${usual}${headLines(headers)}${length}\r\n`;
    const connection = idle.pop() ?? open();
    const answer = await new Promise<Answer>((resolve, reject) => {
      connection.waiting = { resolve, reject };
      connection.socket.write(body === undefined ? head : head + body);
    });
    if (answer.status === status) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status}: ${answer.body}`);
  };

  return {
    ask,
    close(): void {
      for (const { socket } of all) socket.destroy();
    },
  };
}

const headLines = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

/** Undefined until it is all there. */
function answerIn(received: Buffer): Answer | undefined {
  const end = received.indexOf(endOfHead);
  if (end < 0) return undefined;
  const head = received.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const stays = !/\r\nconnection: *close/i.test(head);
  const rest = received.subarray(end + endOfHead.length);
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const body = unchunked(rest);
    return body === undefined ? undefined : { status, body, stays };
  }
  const [, told = '0'] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  return rest.length < Number(told) ? undefined : { status, body: rest, stays };
}

function unchunked(rest: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (rest.length < next) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

/**
 * Reads a body to its end and resolves with its length, without keeping a byte of it: into the same memory again and
 * again. Rejects when the status is not 200, or the head does not tell the length.
 */
export function downloaded(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const { hostname, port, pathname, host } = new URL(url);
  const target = pathname.replace(/\/$/, '') + path;
  return new Promise((resolve, reject) => {
    let head = '';
    let left: number | undefined;
    let length = 0;
    const callback = (count: number, buffer: Uint8Array): boolean => {
      let body = count;
      if (left === undefined) {
        head += Buffer.from(buffer.buffer, buffer.byteOffset, count).toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return true;
        body = head.length - end - 4;
        const [, told] = /\r\ncontent-length: *(\d+)/i.exec(head.slice(0, end)) ?? [];
        if (head.slice(9, 12) !== '200' || told === undefined) {
          socket.destroy(new Error(`GET ${path}: ${head.slice(0, 500)}`));
          return false;
        }
        length = Number(told);
        left = length;
      }
      left -= body;
      if (left <= 0) {
        resolve(length);
        socket.destroy();
      }
      return true;
    };
    const socket = connect({
      ...{ host: hostname, port: Number(port || 80) },
      onread: { buffer: new Uint8Array(downloadBytes), callback },
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${host} ended before all of the body had come`)));
    socket.write(`GET ${target} HTTP/1.1\r\n${headLines({ Host: host, ...headers })}\r\n`);
  });
}

const downloadBytes = 512 * 1024;
