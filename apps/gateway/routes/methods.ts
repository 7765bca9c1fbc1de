import type { Middleware } from 'koa';
import type { CallContext } from '../call.ts';
import { HttpError } from '../http-error.ts';
import type { GatewayRouter } from './routes.ts';

const known: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH']);

/**
 * 404 for a path that no route has, 405 for a method that its path has not (HEAD among them: the original supports it
 * nowhere), 501 for a method that no path has (reference, section 1.1).
 */
export const methods =
  (router: GatewayRouter): Middleware<object, CallContext> =>
  async (ctx, next) => {
    const matched = router.match(ctx.path, ctx.method);
    if (matched.route && ctx.method !== 'HEAD') return next();
    const allowed = new Set(matched.path.flatMap((layer) => layer.methods));
    allowed.delete('HEAD'); // the router adds it to every GET
    if (allowed.size > 0)
      throw new HttpError(405, `The method ${ctx.method} is not allowed for this resource.`, {
        headers: { Allow: [...allowed].join(', ') },
      });
    if (!known.has(ctx.method))
      throw new HttpError(501, `The method ${ctx.method} is not implemented.`);
    throw new HttpError(404, 'The resource could not be found.');
  };
