import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';
import type { Call, CallContext } from './call.ts';

/**
 * One log line and one observation, once the answer is out or its client is gone. `known` is asked then: the route, and who
 * called, where that was found out.
 */
export type ObserveRequest = (
  request: IncomingMessage,
  response: ServerResponse,
  started: number,
  known: () => { readonly route: string; readonly call: Call | undefined },
) => void;

export function requestObserver(log: Logger, metrics: Metrics): ObserveRequest {
  const observe = metrics.seconds('http_request_seconds', 'Requests by how long they took', [
    'method',
    'route',
    'status',
  ] as const);
  return ({ method = '', url = '' }, response, started, known) => {
    response.once('close', () => {
      const ms = performance.now() - started;
      const { route, call } = known();
      const status = response.statusCode;
      observe({ method, route, status }, ms / 1000);
      log.info(
        {
          requestId: call?.requestId,
          project: call?.caller.projectId,
          method,
          path: url.split('?', 1)[0],
          status,
          ms: Math.round(ms * 1000) / 1000,
          ...(response.writableFinished ? {} : { clientGone: true }),
        },
        'request',
      );
    });
  };
}

export const requestLog =
  (observe: ObserveRequest): Middleware<object, CallContext> =>
  async (ctx, next) => {
    observe(ctx.req, ctx.res, performance.now(), () => ({
      route: String((ctx as { _matchedRoute?: unknown })._matchedRoute ?? 'none'),
      call: ctx.call as Call | undefined,
    }));
    await next();
  };
