import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Identification } from './keystone-certificate.ts';

/** One request after another to `POST` and `GET /v3/auth/tokens`, answered as a test needs it. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

export interface KnownToken {
  readonly expiresAt?: number;
  readonly roles?: readonly string[];
  /** Members added to, or put in place of, those of a project-scoped token. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Speaks as much of the Identity API as validating a token takes, and fails on demand. */
export interface KeystoneStandIn {
  readonly authUrl: string;
  /** The tokens that it knows, besides those it gives at logins. */
  readonly tokens: Map<string, KnownToken>;
  /** Tokens that it was asked about, in order. */
  readonly asked: string[];
  /** The queries of those requests. */
  readonly queries: string[];
  /** Tokens given to the service user, in order; one that is removed is no longer accepted. */
  readonly accepted: string[];
  logins(): number;
  /** Connections that were ever opened. */
  connections(): number;
  /** Takes the place of the answers that follow; undefined gives them back. */
  answerValidations(answering: Answering | undefined): void;
  answerLogins(answering: Answering | undefined): void;
  /** Cuts every connection and listens no more, until `listen`. */
  away(): Promise<void>;
  listen(): Promise<void>;
}

export const servicePassword = 'the-service-password';

export interface StandInOptions {
  readonly now?: () => number;
  /** How long the service user's own tokens live. */
  readonly loginLifeMs?: number;
  readonly catalog?: readonly unknown[];
  /** With it, the stand-in speaks TLS. */
  readonly identification?: Identification;
}

export async function keystoneStandIn({
  now = Date.now,
  loginLifeMs = 3_600_000,
  catalog = [],
  identification,
}: StandInOptions = {}): Promise<KeystoneStandIn> {
  const tokens = new Map<string, KnownToken>();
  const asked: string[] = [];
  const queries: string[] = [];
  const accepted: string[] = [];
  const sockets = new Set<Socket>();
  let logins = 0;
  let connections = 0;
  let validation: Answering | undefined;
  let login: Answering | undefined;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://stand-in');
    if (url.pathname !== '/v3/auth/tokens') return send(response, 404, {});
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      logins++;
      if (login !== undefined) return login(request, response);
      if (!body.includes(servicePassword)) return send(response, 401, {});
      const token = `service-user-${logins}`;
      accepted.push(token);
      response.setHeader('X-Subject-Token', token);
      const times = { issued_at: iso(now()), expires_at: iso(now() + loginLifeMs) };
      return send(response, 201, { token: { ...times, catalog } });
    }
    const token = String(request.headers['x-subject-token']);
    asked.push(token);
    queries.push(url.search);
    if (validation !== undefined) return validation(request, response);
    if (!accepted.includes(String(request.headers['x-auth-token'])))
      return send(response, 401, { error: { message: 'The request requires authentication.' } });
    const known = tokens.get(token);
    const expiresAt = known?.expiresAt ?? now() + 3_600_000;
    if (known === undefined || (expiresAt <= now() && !url.searchParams.has('allow_expired')))
      return send(response, 404, { error: { message: `Could not find token: ${token}.` } });
    send(response, 200, tokenDocument(expiresAt, known));
  };
  const server: Server =
    identification === undefined ? createServer(handle) : createTlsServer(identification, handle);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });

  const listenOn = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listenOn(0);
  return {
    authUrl: `${identification === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    tokens,
    asked,
    queries,
    accepted,
    logins: () => logins,
    connections: () => connections,
    answerValidations: (answering) => {
      validation = answering;
    },
    answerLogins: (answering) => {
      login = answering;
    },
    async away() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async listen() {
      await listenOn(port);
    },
  };
}

export function send(response: ServerResponse, status: number, document: unknown): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(document));
}

const iso = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace('Z', '000Z');

/** Demo's token in project demo, as Keystone shows it. */
export const tokenDocument = (
  expiresAt: number,
  { roles = ['member', 'reader'], more = {} }: KnownToken = {},
) => ({
  token: {
    methods: ['password'],
    user: { id: 'demo-id', name: 'demo', domain: { id: 'default', name: 'Default' } },
    project: { id: 'demo-project-id', name: 'demo', domain: { id: 'default', name: 'Default' } },
    roles: roles.map((name) => ({ id: `${name}-id`, name })),
    is_domain: false,
    audit_ids: ['an-audit-id'],
    issued_at: iso(0),
    expires_at: iso(expiresAt),
    ...more,
  },
});
