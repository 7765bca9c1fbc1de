import { expectNoBody } from '../body.ts';
import type { GatewayQuota } from '../quota.ts';
import type { GatewayRouter } from './routes.ts';

/** What this site offers (reference, section 15); of stores, see `storeRoutes`. */
export function infoRoutes(
  router: GatewayRouter,
  {
    importMethods,
    quota,
  }: { importMethods: readonly string[]; quota: Pick<GatewayQuota, 'usage'> },
): void {
  router.get('/v2/info/import', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = {
      'import-methods': {
        description: 'Import methods available.',
        type: 'array',
        value: importMethods,
      },
    };
  });

  router.get('/v2/info/usage', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = { usage: await quota.usage(ctx.call.caller.projectId) };
  });
}
