import type { Access } from '../../../domain/image/access.ts';
import type { ImageLimits } from '../../../domain/image/attributes.ts';
import { areSeveral, type Stores } from '../../../infra/store/stores.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import type { BaseUrl } from '../base-url.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import type { Call, GatewayContext } from '../call.ts';
import { type Commands, unknownImage } from '../commands.ts';
import type { ImportProgresses } from '../import-progress.ts';
import type { Locator } from '../locator.ts';
import { pageAnswers } from '../page-answers.ts';
import { lookedAt, withoutLocations } from '../patched-locations.ts';
import { readings } from '../reading.ts';
import { creationFrom } from '../wire/create.ts';
import { pageText } from '../wire/image-page.ts';
import type { ImageSchema } from '../wire/image-schema.ts';
import { imageTexts, withMembers } from '../wire/image-text.ts';
import { patchFrom, patchVersion } from '../wire/json-patch.ts';
import { listQueryFrom, type PageSizes } from '../wire/list-query.ts';
import type { Showing } from '../wire/places.ts';
import { parametersOf } from '../wire/query-string.ts';
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
    pages,
    limits,
    stores,
    showing,
    locator,
    keepDeletedMs,
    progress,
  }: {
    commands: Commands;
    images: Images;
    access: Access;
    importMethods: readonly string[];
    baseUrl: BaseUrl;
    schema: ImageSchema;
    pages: PageSizes;
    limits: ImageLimits;
    stores: Stores;
    showing: Showing;
    locator: Locator;
    keepDeletedMs: number | null;
    progress: Pick<ImportProgresses, 'ofImage'>;
  },
): void {
  const readingOf = readings({ access, schema, stores, showing });
  const textOf = imageTexts();
  const answers = pageAnswers();

  router.post('/v2/images', async (ctx) => {
    const { imageId, attributes } = creationFrom(await jsonBody(ctx), ctx.call.caller, schema);
    const record = await commands.create(ctx.call, imageId, attributes);
    ctx.status = 201;
    ctx.set('Location', `${baseUrl(ctx.req)}/v2/images/${record.id}`);
    if (importMethods.length > 0)
      ctx.set('OpenStack-image-import-methods', importMethods.join(','));
    if (areSeveral(stores))
      ctx.set('OpenStack-image-store-ids', stores.all.map(({ id }) => id).join(','));
    answerJson(ctx, textOf(record, readingOf(ctx.call)));
  });

  router.get('/v2/images', async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    const { caller } = ctx.call;
    const { projectId } = caller;
    const reading = readingOf(ctx.call);
    const viewer = { projectId, isAdmin: access.isAdmin(caller) };
    const query = listQueryFrom(parameters, viewer, reading, pages);
    access.authorizeOwn('get_images', caller);
    const page = await images.list(query);
    const make = (): string => {
      const shown = page.filter((record) => access.allows('get_image', record, caller));
      const images = shown.map((record) => textOf(record, reading));
      return pageText({ page, images }, parameters, query.limit);
    };
    answerJson(ctx, answers.of(page, caller, ctx.querystring, make));
  });

  router.get('/v2/images/:imageId', async (ctx) => {
    expectNoBody(ctx.req);
    const record = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    const text = textOf(record, readingOf(ctx.call));
    answerJson(ctx, withMembers(text, await progress.ofImage(record, ctx.call.caller)));
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
    answerJson(ctx, textOf(record, readingOf(ctx.call)));
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

/** An image that the caller may see; 404 for every other. */
export async function visibleImage(
  { images, access }: { images: Pick<Images, 'show'>; access: Access },
  imageId: string,
  call: Call,
): Promise<ImageRecord> {
  access.requireProjectScope('get_image', call.caller);
  const record = await images.show(imageId);
  if (record === undefined) throw unknownImage(imageId);
  if (!access.allows('get_image', record, call.caller)) throw unknownImage(imageId, 'get_image');
  return record;
}
