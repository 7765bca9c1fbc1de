import { randomUUID } from 'node:crypto';
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

/** Finds out who calls, and gives the request its ids (reference, section 1.2). */
export const authentication =
  (identity: Identity): Middleware<object, CallContext> =>
  async (ctx, next) => {
    const { caller, userName } = await identity.identify(ctx.headers, {
      method: ctx.method,
      path: ctx.path,
    });
    const sent = ctx.get('X-OpenStack-Request-ID');
    if (sent.length > maxRequestIdLength)
      throw new HttpError(431, `A request id can have at most ${maxRequestIdLength} characters.`);
    const correlationId = randomUUID();
    const adopted = printable.test(sent) ? sent : undefined;
    const requestId = adopted === undefined ? `req-${correlationId}` : prefixed(adopted);
    ctx.call = {
      caller,
      person: {
        userId: caller.userId,
        userName,
        remoteAddress: ctx.req.socket.remoteAddress ?? '',
        userAgent: ctx.get('User-Agent'),
      },
      requestId,
      globalRequestId: adopted,
      correlationId,
    };
    ctx.set('x-openstack-request-id', requestId);
    await next();
  };

const prefixed = (id: string): string => (id.startsWith('req-') ? id : `req-${id}`);
