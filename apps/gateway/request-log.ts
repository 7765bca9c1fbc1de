import type { Middleware } from 'koa';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';
import type { Call, CallContext } from './call.ts';

/** One log line and one observation per request, once its answer is out or its client is gone. */
export function requestLog(log: Logger, metrics: Metrics): Middleware<object, CallContext> {
  const observe = metrics.seconds('http_request_seconds', 'Requests by how long they took', [
    'method',
    'route',
    'status',
  ] as const);
  return async (ctx, next) => {
    const started = performance.now();
    ctx.res.once('close', () => {
      const ms = performance.now() - started;
      const call = ctx.call as Call | undefined;
      const status = ctx.res.statusCode;
      const route = String((ctx as { _matchedRoute?: unknown })._matchedRoute ?? 'none');
      observe({ method: ctx.method, route, status }, ms / 1000);
      log.info(
        {
          requestId: call?.requestId,
          project: call?.caller.projectId,
          method: ctx.method,
          path: ctx.originalUrl.split('?', 1)[0],
          status,
          ms: Math.round(ms * 1000) / 1000,
          ...(ctx.res.writableFinished ? {} : { clientGone: true }),
        },
        'request',
      );
    });
    await next();
  };
}
