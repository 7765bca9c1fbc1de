import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Caller } from '../../domain/image/access.ts';
import type { Person } from '../../infra/personal/records.ts';
import { HttpError } from './http-error.ts';
import type { Identity } from './identity.ts';

/** By which ids the traces of a request are found. */
export interface Trace {
  /** `req-…`: the client's own id where it sent one. */
  readonly requestId: string;
  readonly globalRequestId?: string | undefined;
  /** UUID, the same through everything that this request sets in motion. */
  readonly correlationId: string;
  /** Id of the bulk import through which the caller asks. */
  readonly bulkImport?: string | undefined;
}

/** One authenticated request: who asks, and its ids. */
export interface Call extends Trace {
  readonly caller: Caller;
  readonly person: Person;
  /** Hash of the person's record, where that was written before. */
  readonly personal?: string | undefined;
}

/** What Koa's context carries for handlers below `authentication`. */
export interface CallContext {
  call: Call;
}

export type GatewayContext = ParameterizedContext<object, CallContext>;

const maxRequestIdLength = 64;
/** Other ids would come back in another encoding than they came in. */
const printable = /^[\x20-\x7e]+$/;

export const requestIdHeader = 'x-openstack-request-id';

/** Who calls, and the ids of the request (reference, section 1.2). `path` is that of the API, whatever version was named. */
export async function callOf(
  identity: Identity,
  { method = '', headers, socket }: IncomingMessage,
  path: string,
): Promise<Call> {
  const { caller, userName } = await identity.identify(headers, { method, path });
  const sent = textOf(headers[requestIdHeader]);
  if (sent.length > maxRequestIdLength)
    throw new HttpError(431, `A request id can have at most ${maxRequestIdLength} characters.`);
  const correlationId = randomUUID();
  const adopted = printable.test(sent) ? sent : undefined;
  return {
    caller,
    person: {
      userId: caller.userId,
      userName,
      remoteAddress: socket.remoteAddress ?? '',
      userAgent: headers['user-agent'] ?? '',
    },
    requestId: adopted === undefined ? `req-${correlationId}` : prefixed(adopted),
    globalRequestId: adopted,
    correlationId,
  };
}

/** Has every handler below know who calls. */
export const authentication =
  (identity: Identity): Middleware<object, CallContext> =>
  async (ctx, next) => {
    ctx.call = await callOf(identity, ctx.req, ctx.path);
    ctx.set(requestIdHeader, ctx.call.requestId);
    await next();
  };

const textOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' ? header : (header?.join(', ') ?? '');

const prefixed = (id: string): string => (id.startsWith('req-') ? id : `req-${id}`);
