import { jsonBody } from '../body.ts';
import { HttpError } from '../http-error.ts';
import type { Imports } from '../imports.ts';
import type { Uploads } from '../upload.ts';
import type { UrlRules } from '../wire/import-method.ts';
import { importRequestFrom, type StoreChoice } from '../wire/import-request.ts';
import { declaredSizeOf, requireOctets } from './image-data.ts';
import { imageIdOf } from './image-id.ts';
import type { GatewayRouter } from './routes.ts';

/** Bytes into staging, and what then becomes of them (reference, sections 8.2 and 9). */
export function importRoutes(
  router: GatewayRouter,
  {
    uploads,
    imports,
    methods,
    stores,
    urls,
  }: {
    uploads: Uploads;
    imports: Imports;
    /** That are enabled. */
    methods: readonly string[];
    stores: StoreChoice;
    /** Where imports may fetch from. */
    urls: UrlRules;
  },
): void {
  router.put('/v2/images/:imageId/stage', async (ctx) => {
    if (!methods.includes('glance-direct'))
      throw new HttpError(404, 'Nothing can be staged here: glance-direct is not enabled.');
    requireOctets(ctx);
    await uploads.upload(ctx.call, imageIdOf(ctx), ctx, {
      declaredSize: declaredSizeOf(ctx),
      store: stores.defaultId,
      purpose: 'stage',
    });
    ctx.status = 204;
  });

  router.post('/v2/images/:imageId/import', async (ctx) => {
    const document = await jsonBody(ctx);
    const header = ctx.get('X-Image-Meta-Store');
    const asked = importRequestFrom(document, header, methods, stores, urls);
    await imports.request(ctx.call, imageIdOf(ctx), asked, { token: ctx.get('X-Auth-Token') });
    ctx.status = 202;
    ctx.body = '';
  });
}
