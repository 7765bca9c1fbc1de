import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { TlsMaterial } from './tls.ts';

export interface Answer {
  readonly status: number;
  /** No more than its beginning. */
  readonly body: string;
}

/** Posts to where the operator said; redirects are answers like others. */
export interface WebClient {
  /** Rejects when there was no answer. */
  post(headers: Readonly<Record<string, string>>, body: string): Promise<Answer>;
  close(): void;
}

const mostAnswerBytes = 64 * 1024;
const idleMs = 30_000;

export function webClient(
  url: string,
  { timeoutMs, ca, ...own }: TlsMaterial & { readonly timeoutMs: number },
): WebClient {
  const isHttps = url.startsWith('https:');
  const kept = { keepAlive: true, timeout: idleMs, maxSockets: 1 } as const;
  const agent = isHttps
    ? new HttpsAgent({ ...kept, ...own, ...(ca === undefined ? {} : { ca: [...ca] }) })
    : new HttpAgent(kept);
  const request = isHttps ? httpsRequest : httpRequest;

  const once = (headers: Readonly<Record<string, string>>, body: string, mayRepeat: boolean) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(url, {
        method: 'POST',
        agent,
        headers: {
          'User-Agent': 'Daguerre',
          ...headers,
          'Content-Length': String(Buffer.byteLength(body)),
        },
      });
      const late = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      sent.once('close', () => clearTimeout(late));
      sent.once('error', (error) => {
        const wasClosed = sent.reusedSocket && /ECONNRESET|EPIPE/.test(codeOf(error));
        if (wasClosed && mayRepeat) once(headers, body, false).then(resolve, reject);
        else reject(error);
      });
      sent.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
          if (text.length > mostAnswerBytes) response.destroy();
        });
        const status = response.statusCode ?? 0;
        // Whatever comes of its body: what it says is in its status.
        response.once('close', () => resolve({ status, body: text.slice(0, mostAnswerBytes) }));
        response.on('error', () => {});
      });
      sent.end(body);
    });

  return {
    post: (headers, body) => once(headers, body, true),
    close: () => agent.destroy(),
  };
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : '');
