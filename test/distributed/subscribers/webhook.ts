import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Api } from '../../faults/api.ts';
import { isSigned, type Received } from '../../webhooks/receiver.ts';
import { type Heard, heardOf, type Subscriber } from './subscriber.ts';

/** How a receiver treats what it gets. `forgets`: takes it, and breaks the connection instead of saying so. */
export const moods = ['good', 'fails', 'hangs', 'redirects', 'forgets', 'away'] as const;
export type Mood = (typeof moods)[number];

export interface WebhookSubscriber extends Subscriber {
  feel(mood: Mood): Promise<void>;
  /** Requests that should never have come: unsigned, or at the place that redirects lead to. */
  readonly strange: readonly string[];
}

/** Where redirects lead: a network that the operator has not allowed. */
const forbiddenHost = '127.0.0.2';
const ownHost = '127.0.0.1';

/** Flags for a site that may tell receivers on this machine, and does not wait long. */
export const webhookArgs = (port: number): readonly string[] => [
  ...['--webhook-allow-http', '--webhook-allowed-ports', String(port)],
  ...['--webhook-allowed-cidrs', `${ownHost}/32`],
  ...['--webhook-timeout-ms', '1000', '--webhook-retry-seconds', '1'],
];

/** A receiver on `port`, which `webhookArgs` were told; it registers itself. */
export async function webhookSubscriber(api: Api, port: number): Promise<WebhookSubscriber> {
  const heard: Heard[] = [];
  const strange: string[] = [];
  let secret = '';
  let refusals = 0;
  let mood: Mood = 'good';

  const answer = (received: Received, response: ServerResponse): void => {
    if (!isSigned(received, secret)) strange.push(`not signed: ${received.body}`);
    if (received.headers['webhook-id'] !== received.document.id)
      strange.push(`under another id: ${received.body}`);
    if (mood !== 'good') refusals += 1;
    if (mood === 'good' || mood === 'forgets') heard.push(heardOf(received.document));
    if (mood === 'good') response.writeHead(204).end();
    if (mood === 'fails') response.writeHead(refusals % 2 === 0 ? 500 : 429).end();
    if (mood === 'redirects')
      response.writeHead(307, { location: `http://${forbiddenHost}:${port}/hook` }).end();
    if (mood === 'forgets') response.destroy();
  };
  const listening = async (
    host: string,
    take: (received: Received, response: ServerResponse) => void,
  ): Promise<Server> => {
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const body = Buffer.concat(pieces).toString();
        const { url = '', headers } = request;
        take({ path: url, headers, body, document: JSON.parse(body) }, response);
      });
    });
    server.listen(port, host);
    await once(server, 'listening');
    return server;
  };
  const closed = async (server: Server): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };

  let own: Server | undefined = await listening(ownHost, answer);
  const { port: bound } = own.address() as AddressInfo;
  const forbidden = await listening(forbiddenHost, ({ body }, response) => {
    strange.push(`followed a redirect: ${body}`);
    response.writeHead(204).end();
  });
  const registered = await api.json('POST', '/webhooks/v1/endpoints', {
    url: `http://${ownHost}:${bound}/hook`,
    all_projects: true,
    after: '0',
  });
  if (registered.kind !== 'answered' || registered.status !== 201)
    throw new Error(`the webhook is not registered: ${JSON.stringify(registered)}`);
  secret = (JSON.parse(String(registered.body)) as { secret: string }).secret;

  return {
    kind: 'webhook',
    order: 'of each image',
    heard,
    strange,
    interruptions: () => refusals,
    async feel(next) {
      mood = next;
      if (next === 'away' && own !== undefined) {
        await closed(own);
        own = undefined;
      }
      if (next !== 'away') own ??= await listening(ownHost, answer);
      // What hung is let go of.
      if (next === 'good') own?.closeAllConnections();
    },
    async stop() {
      await Promise.all([own, forbidden].map((server) => server && closed(server)));
    },
  };
}
