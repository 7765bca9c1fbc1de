import type { Middleware } from 'koa';
import { percentDecoded } from './text.ts';

/** Refuses a path whose escapes are not UTF-8; Node has refused bytes that are not ASCII already. */
export const decodableUrl: Middleware = async (ctx, next) => {
  percentDecoded(ctx.path, 'The URL');
  await next();
};
