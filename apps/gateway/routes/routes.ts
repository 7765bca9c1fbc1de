import Router, { type RouterMiddleware } from '@koa/router';
import { LRUCache } from 'lru-cache';
import type { CallContext } from '../call.ts';

export type GatewayRouter = Router<object, CallContext>;

const mostRemembered = 1_000;
const anyUuid = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/gi;

/**
 * Routes match exactly: case counts, and so does a trailing slash. All of the many are tried only once for paths that differ
 * in a UUID, since no route tells one from another; so every route has to be there before the first request.
 */
export function newRouter(): GatewayRouter {
  const router: GatewayRouter = new Router({ sensitive: true, strict: true });
  const matches = new LRUCache<string, ReturnType<GatewayRouter['match']>>({ max: mostRemembered });
  const match = router.match.bind(router);
  router.match = (path, method) => {
    const shape = `${method} ${path.replace(anyUuid, 'uuid')}`;
    const known = matches.get(shape) ?? match(path, method);
    matches.set(shape, known);
    return known;
  };
  return router;
}

export type Handler = RouterMiddleware<object, CallContext>;

/** A parameter that the route's path names. */
export function parameter(ctx: Parameters<Handler>[0], name: string): string {
  const value: unknown = ctx.params[name];
  if (typeof value !== 'string') throw new Error(`the route has no parameter ${name}`);
  return value;
}
