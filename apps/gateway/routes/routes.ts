import Router, { type RouterMiddleware } from '@koa/router';
import type { CallContext } from '../call.ts';

/** Routes match exactly: case counts, and so does a trailing slash. */
export const newRouter = (): GatewayRouter => new Router({ sensitive: true, strict: true });

export type GatewayRouter = Router<object, CallContext>;
export type Handler = RouterMiddleware<object, CallContext>;

/** A parameter that the route's path names. */
export function parameter(ctx: Parameters<Handler>[0], name: string): string {
  const value: unknown = ctx.params[name];
  if (typeof value !== 'string') throw new Error(`the route has no parameter ${name}`);
  return value;
}
