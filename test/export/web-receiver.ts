import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

export interface Request {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What is done with a request that came whole; `keep` takes it down as kept. */
export type Answering = (request: Request, response: ServerResponse, keep: () => void) => void;

/** Who is posted to, on loopback until the test file ends. */
export interface WebReceiver {
  readonly url: string;
  readonly port: number;
  /** Those that were kept, in their order. */
  readonly kept: readonly Request[];
  answerWith(answering: Answering): void;
  /** Stops listening and breaks every connection. */
  die(): Promise<void>;
  comeBack(): Promise<void>;
}

export const taking: Answering = (_, response, keep) => {
  keep();
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
};

export const saying =
  (status: number, body = ''): Answering =>
  (_, response) =>
    void response.writeHead(status).end(body);

export async function webReceiver(): Promise<WebReceiver> {
  const kept: Request[] = [];
  let answering = taking;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      const { url: path = '', headers } = incoming;
      const request = { path, headers, body: Buffer.concat(chunks).toString() };
      answering(request, response, () => kept.push(request));
    });
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const die = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  after(die);
  return {
    ...{ port, kept, die },
    url: `http://127.0.0.1:${port}/`,
    answerWith(next) {
      answering = next;
    },
    comeBack: () => listen(port),
  };
}
