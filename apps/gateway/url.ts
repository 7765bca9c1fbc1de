import type { Middleware } from 'koa';
import { percentDecoded } from './text.ts';

/** Refuses a path that is not UTF-8, and writes raw UTF-8 as the escapes that it should have been. */
export const decodableUrl: Middleware = async (ctx, next) => {
  const { url } = ctx;
  if (/[^\0-\x7f]/.test(url))
    ctx.url = url.replace(/[^\0-\x7f]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  percentDecoded(ctx.path, 'The URL');
  await next();
};
