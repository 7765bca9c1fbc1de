import type { Access } from '../../../domain/image/access.ts';
import { expectNoBody } from '../body.ts';
import { HttpError } from '../http-error.ts';
import type { GatewayQuota } from '../quota.ts';
import type { GatewayRouter } from './routes.ts';

/** What this site offers (reference, section 15). With one store there is nothing to choose between: 404. */
export function infoRoutes(
  router: GatewayRouter,
  {
    access,
    importMethods,
    quota,
  }: { access: Access; importMethods: readonly string[]; quota: Pick<GatewayQuota, 'usage'> },
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

  router.get('/v2/info/stores', async (ctx) => {
    expectNoBody(ctx.req);
    throw singleStore();
  });

  router.get('/v2/info/stores/detail', async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeOwn('stores_info_detail', ctx.call.caller);
    throw singleStore();
  });

  router.delete('/v2/stores/:storeId/:imageId', async (ctx) => {
    expectNoBody(ctx.req);
    throw singleStore();
  });

  router.get('/v2/info/usage', async (ctx) => {
    expectNoBody(ctx.req);
    ctx.body = { usage: await quota.usage(ctx.call.caller.projectId) };
  });
}

const singleStore = () => new HttpError(404, 'Multi backend is not supported at this site.');
