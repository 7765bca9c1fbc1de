import { Agent, type IncomingHttpHeaders, request as overHttp } from 'node:http';
import { request as overTls, Agent as TlsAgent } from 'node:https';

export interface Asked {
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface HttpOptions {
  /** Longest from asking to the last byte of the answer, a wait for a free connection included. */
  readonly timeoutMs: number;
  /** Connections kept at once, so that a flood of tokens does not become a flood of connections. */
  readonly maxConnections: number;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly authorities?: string | undefined;
}

export interface Http {
  /** Resolves with whatever the server answers; rejects when it gives no whole answer in time. */
  ask(url: URL, asked: Asked): Promise<Answered>;
  close(): void;
}

const maxAnswerBytes = 8 * 1024 * 1024;

/**
 * JSON over connections that are kept for the next request. Every request must bear being sent twice. What it rejects
 * with names method and address, but no header and no body: they hold secrets.
 */
export function keptHttp({ timeoutMs, maxConnections, authorities }: HttpOptions): Http {
  const trust = authorities === undefined ? {} : { ca: authorities };
  const plain = new Agent({ keepAlive: true, maxSockets: maxConnections });
  const tls = new TlsAgent({ keepAlive: true, maxSockets: maxConnections, ...trust });

  const once = (url: URL, asked: Asked, fresh: boolean): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const method = asked.method ?? 'GET';
      const content = asked.body === undefined ? '' : JSON.stringify(asked.body);
      const headers = {
        Accept: 'application/json',
        'User-Agent': 'daguerre',
        ...asked.headers,
        ...(content !== '' && { 'Content-Type': 'application/json' }),
      };
      const request =
        url.protocol === 'https:'
          ? overTls(url, { method, headers, agent: fresh ? false : tls, ...trust })
          : overHttp(url, { method, headers, agent: fresh ? false : plain });
      let ended: Error | undefined;
      const end = (why: string): void => {
        ended = new Error(why);
        request.destroy(ended);
      };
      const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
      const fail = (cause: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        const why = ended?.message ?? (cause.message || cause.code);
        const message = `${method} ${url.origin}${url.pathname}: ${why}`;
        reject(new Unanswered(message, ended === undefined && request.reusedSocket));
      };
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxAnswerBytes) end(`the answer is longer than ${maxAnswerBytes} bytes`);
          else chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      });
      request.end(content);
    });

  return {
    async ask(url, asked) {
      try {
        return await once(url, asked, false);
      } catch (error) {
        if (error instanceof Unanswered && error.onKept) return once(url, asked, true);
        throw error;
      }
    },
    close() {
      plain.destroy();
      tls.destroy();
    },
  };
}

class Unanswered extends Error {
  /** Broke on a connection that had served before: it says nothing about the server that is there now. */
  readonly onKept: boolean;

  constructor(message: string, onKept: boolean) {
    super(message);
    this.name = 'Unanswered';
    this.onKept = onKept;
  }
}
