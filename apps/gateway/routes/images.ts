import type { Access } from '../../../domain/image/access.ts';
import type { ImageLimits } from '../../../domain/image/attributes.ts';
import { areSeveral, type Stores } from '../../../infra/store/stores.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { BaseUrl } from '../base-url.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import type { GatewayContext } from '../call.ts';
import type { Commands } from '../commands.ts';
import { type ImageReads, visibleImage } from '../image-reads.ts';
import type { Locator } from '../locator.ts';
import { lookedAt, withoutLocations } from '../patched-locations.ts';
import { creationFrom } from '../wire/create.ts';
import type { ImageSchema } from '../wire/image-schema.ts';
import { patchFrom, patchVersion } from '../wire/json-patch.ts';
import type { Showing } from '../wire/places.ts';
import { imageIdOf } from './image-id.ts';
import type { GatewayRouter } from './routes.ts';

/** Images: create, list, show, update, delete (reference, section 6). */
export function imageRoutes(
  router: GatewayRouter,
  {
    commands,
    images,
    access,
    importMethods,
    baseUrl,
    schema,
    reads,
    limits,
    stores,
    showing,
    locator,
    keepDeletedMs,
  }: {
    commands: Commands;
    images: Images;
    access: Access;
    importMethods: readonly string[];
    baseUrl: BaseUrl;
    schema: ImageSchema;
    reads: ImageReads;
    limits: ImageLimits;
    stores: Stores;
    showing: Showing;
    locator: Locator;
    keepDeletedMs: number | null;
  },
): void {
  router.post('/v2/images', async (ctx) => {
    const { imageId, attributes } = creationFrom(await jsonBody(ctx), ctx.call.caller, schema);
    const record = await commands.create(ctx.call, imageId, attributes);
    ctx.status = 201;
    ctx.set('Location', `${baseUrl(ctx.req)}/v2/images/${record.id}`);
    if (importMethods.length > 0)
      ctx.set('OpenStack-image-import-methods', importMethods.join(','));
    if (areSeveral(stores))
      ctx.set('OpenStack-image-store-ids', stores.all.map(({ id }) => id).join(','));
    answerJson(ctx, reads.textOf(record, ctx.call));
  });

  router.get('/v2/images', async (ctx) => {
    expectNoBody(ctx.req);
    answerJson(ctx, await reads.list(ctx.call, ctx.querystring));
  });

  router.get('/v2/images/:imageId', async (ctx) => {
    expectNoBody(ctx.req);
    answerJson(ctx, await reads.show(ctx.call, imageIdOf(ctx)));
  });

  router.patch('/v2/images/:imageId', async (ctx) => {
    const version = patchVersion(ctx.headers['content-type']);
    const asked = patchFrom(await jsonBody(ctx), version, schema);
    const imageId = imageIdOf(ctx);
    const seen = () => visibleImage({ images, access }, imageId, ctx.call);
    const operations =
      withoutLocations(asked) ??
      (await lookedAt(asked, await seen(), ctx.call, {
        access,
        areShown: showing.locations,
        locator,
        quota: limits.locations,
      }));
    const record =
      operations.length === 0 // nothing is saved, so that seeing the image is enough
        ? await seen()
        : await commands.performAndShow(ctx.call, imageId, {
            type: 'UpdateImage',
            caller: ctx.call.caller,
            operations,
          });
    answerJson(ctx, reads.textOf(record, ctx.call));
  });

  router.delete('/v2/images/:imageId', async (ctx) => {
    expectNoBody(ctx.req);
    await commands.perform(ctx.call, imageIdOf(ctx), {
      type: 'DeleteImage',
      caller: ctx.call.caller,
      ...(keepDeletedMs === null
        ? {}
        : { keepUntil: new Date(Date.now() + keepDeletedMs).toISOString() }),
    });
    ctx.status = 204;
  });
}

function answerJson(ctx: GatewayContext, json: string | Uint8Array): void {
  ctx.type = 'json';
  ctx.body = json;
}
