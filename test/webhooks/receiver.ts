import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { until } from '../support/until.ts';

/** One request as it came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly document: { readonly [key: string]: unknown };
}

export type Answering = (received: Received, response: ServerResponse) => void;

export const answers =
  (status: number, headers: Readonly<Record<string, string>> = {}): Answering =>
  (_, response) =>
    void response.writeHead(status, headers).end();

/** A webhook's receiving end, on loopback until the test file ends. */
export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** Every request, whatever was answered. */
  readonly requests: readonly Received[];
  /** Requests that were answered with 2xx. */
  readonly accepted: readonly Received[];
  answerWith(answering: Answering): void;
  /** Resolves when so many were accepted. */
  until(count: number): Promise<readonly Received[]>;
  /** Stops listening and breaks every connection; `start` comes back on the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function receiver(): Promise<Receiver> {
  const requests: Received[] = [];
  const accepted: Received[] = [];
  let answering = answers(204);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { url = '', headers } = request;
      const received = { path: url, headers, body, document: JSON.parse(body || '{}') };
      requests.push(received);
      response.on('finish', () => {
        if (response.statusCode >= 200 && response.statusCode < 300) accepted.push(received);
      });
      answering(received, response);
    });
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  after(stop);
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    requests,
    accepted,
    answerWith(next) {
      answering = next;
    },
    until: (count) =>
      until(`${count} deliveries`, () => (accepted.length >= count ? accepted : undefined)),
    stop,
    start: () => listen(port),
  };
}

/** As a receiver has to do it, by the specification alone: no code of ours. */
export function isSigned({ headers, body }: Received, secret: string): boolean {
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const given = String(headers['webhook-signature']).split(' ');
  return given.some((one) => {
    const [scheme, signature = ''] = one.split(',');
    const bytes = Buffer.from(signature, 'base64');
    if (scheme === 'v1' && secret.startsWith('whsec_')) {
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      const expected = createHmac('sha256', key).update(content).digest();
      return expected.length === bytes.length && timingSafeEqual(expected, bytes);
    }
    if (scheme !== 'v1a' || !secret.startsWith('whpk_')) return false;
    const x = Buffer.from(secret.slice('whpk_'.length), 'base64').toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, Buffer.from(content), key, bytes);
  });
}
