import type { Access } from '../../../domain/image/access.ts';
import { HttpError } from '../http-error.ts';
import type { GatewayRouter } from './routes.ts';

/** The calls of the cache API with their rules; a site without a cache answers 404 to those who might use one. */
const calls = [
  ['get', '/v2/cache', 'cache_list'],
  ['delete', '/v2/cache', 'cache_delete'],
  ['put', '/v2/cache/:imageId', 'cache_image'],
  ['delete', '/v2/cache/:imageId', 'cache_delete'],
  ['get', '/v2/cache/nodes/:imageId', 'cache_list'],
  ['post', '/v2/cache/clean', 'cache_clean'],
  ['post', '/v2/cache/prune', 'cache_prune'],
] as const;

/** Reference, section 17: the rule first, then whether there is a cache at all. */
export function cacheRoutes(router: GatewayRouter, { access }: { access: Access }): void {
  for (const [method, path, rule] of calls)
    router[method](path, async (ctx) => {
      access.authorizeOwn(rule, ctx.call.caller);
      throw new HttpError(404, 'Caching is not configured at this site.');
    });
}
